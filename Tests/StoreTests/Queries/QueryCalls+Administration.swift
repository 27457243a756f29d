import Domain
import Store

/// What only the admin API and the dashboard ask.
extension QueryCalls {
    mutating func addAdministration() {
        let (user, page, now) = (user.id, page, sample.now)
        for order in Accounts.Order.allCases {
            add("accounts.list by \(order)") { db throws(Problem) in
                _ = try db.accounts.list(.init(), by: order, page)
            }
        }
        add("accounts.counts") { db throws(Problem) in _ = try db.accounts.counts() }
        add("subscriptions.activeByPlan") { db throws(Problem) in
            _ = try db.subscriptions.activeByPlan()
        }
        let filters: [(String, APIKeys.Filter)] = [
            ("of all", .init()), ("of one", .init(user: user)), ("live", .init(isLive: true)),
        ]
        for (name, filter) in filters {
            add("apiKeys.list \(name)") { db throws(Problem) in
                _ = try db.apiKeys.list(filter, at: now, page)
            }
        }
        add("usage.top on") { db throws(Problem) in
            _ = try db.usage.top(
                metric: "requests", window: .month, period: "2026-11", after: (7, "a"), limit: 9)
        }
        add("usage.all") { db throws(Problem) in
            _ = try db.usage.all(
                metric: "requests", window: .month, period: "2026-11", after: "a", limit: 9)
        }
        add("usage.metrics") { db throws(Problem) in
            _ = try db.usage.metrics(of: user, metric: nil, window: .month, period: "2026-11")
            _ = try db.usage.metrics(of: user, metric: "a", window: .month, period: "2026-11")
        }
        add("usage.byPlan") { db throws(Problem) in
            _ = try db.usage.byPlan(window: .month, period: "2026-11", limit: 9)
        }
        add("usage.activeUsers") { db throws(Problem) in
            _ = try db.usage.activeUsers(from: "2026-11-01")
        }
        add("activity.add") { db throws(Problem) in try db.activity.add("sign_ins", at: now) }
        add("activity.points") { db throws(Problem) in
            _ = try db.activity.points(.hour, from: "2026-11-01T00")
        }
        add("activity.prune") { db throws(Problem) in
            _ = try db.activity.prune(before: now, atMost: 9)
        }
        addAuditRetention()
    }

    private mutating func addAuditRetention() {
        let now = sample.now
        add("audit.anchor") { db throws(Problem) in _ = try db.audit.anchor() }
        add("audit.id") { db throws(Problem) in _ = try db.audit.id(of: 1) }
        add("audit.count") { db throws(Problem) in
            _ = try db.audit.count(after: 0, before: 9)
        }
        add("audit.firstSequence") { db throws(Problem) in _ = try db.audit.firstSequence() }
        add("audit.prune") { db throws(Problem) in
            _ = try db.audit.prune(before: now + .seconds(1), atMost: 1, at: now)
        }
    }
}
