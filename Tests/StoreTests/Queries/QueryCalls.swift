import Domain
import Store

/// One call of each method of the store's nouns, and of each way in which a filter changes the
/// statement. The first word of a name is the noun and the method.
struct QueryCalls {
    typealias Body = (any Connection) throws(Problem) -> Void

    private(set) var all: [(name: String, body: Body)] = []
    var sample = Sample()
    let user: Account
    let plan: Plan
    let page = Page(limit: 9)

    init() {
        user = sample.account("user@example.com", name: "User", role: .admin)
        plan = sample.plan("plan", isDefault: true)
        addAccounts()
        addPlans()
        addSessions()
        addKeys()
        addSubscriptions()
        addUsage()
        addRecords()
        addJobs()
        addRest()
        addAudit()
        addAdministration()
        addDeletion()
    }

    mutating func add(_ name: String, _ body: @escaping Body) {
        all.append((name, body))
    }

    private mutating func addAccounts() {
        let (user, page, now) = (user, page, sample.now)
        add("accounts.insert") { db throws(Problem) in
            _ = try db.accounts.insert(user, passwordHash: "hash")
        }
        add("accounts.find") { db throws(Problem) in
            _ = try db.accounts.find(user.id)
            _ = try db.accounts.find(user.email)
        }
        add("accounts.credentials") { db throws(Problem) in
            _ = try db.accounts.credentials(user.id)
            _ = try db.accounts.credentials(user.email)
        }
        add("accounts.update") { db throws(Problem) in _ = try db.accounts.update(user) }
        add("accounts.setPassword") { db throws(Problem) in
            try db.accounts.setPassword("new", of: user.id, at: now)
        }
        add("accounts.replacePasswordHash") { db throws(Problem) in
            try db.accounts.replacePasswordHash("new", with: "newer", of: user.id)
        }
        add("accounts.activeAdmins") { db throws(Problem) in
            _ = try db.accounts.activeAdmins(besides: user.id)
            _ = try db.accounts.activeAdmins(besides: nil)
        }
        let filters: [(String, Accounts.Filter)] = [
            ("all", .init()), ("search", .init(search: "a")), ("role", .init(role: .admin)),
            ("active", .init(isActive: true)), ("plan", .init(plan: "plan")),
        ]
        for (name, filter) in filters {
            add("accounts.list \(name)") { db throws(Problem) in
                _ = try db.accounts.list(filter, page)
            }
        }
    }

    private mutating func addPlans() {
        let (plan, page) = (plan, page)
        add("plans.insert") { db throws(Problem) in _ = try db.plans.insert(plan) }
        add("plans.update") { db throws(Problem) in try db.plans.update(plan) }
        add("plans.find") { db throws(Problem) in
            _ = try db.plans.find(plan.id)
            _ = try db.plans.find(slug: plan.slug)
        }
        add("plans.findDefault") { db throws(Problem) in _ = try db.plans.findDefault() }
        add("plans.list") { db throws(Problem) in
            _ = try db.plans.list(includingArchived: true, page)
            _ = try db.plans.list(includingArchived: false, page)
        }
    }

    private mutating func addSessions() {
        let (user, now) = (user.id, sample.now)
        let session = sample.session(of: user, address: "192.0.2.1")
        let token = sample.token(of: session)
        add("sessions.insert") { db throws(Problem) in
            try db.sessions.insert(session)
            try db.sessions.insert(token, userAgent: nil, address: nil)
        }
        add("sessions.find") { db throws(Problem) in
            _ = try db.sessions.find(session.id)
            _ = try db.sessions.find(tokenHash: token.hash)
        }
        add("sessions.update") { db throws(Problem) in try db.sessions.update(session) }
        add("sessions.orphan") { db throws(Problem) in
            try db.sessions.orphan(session.id, generation: 1, issuedBefore: now)
        }
        add("sessions.markDelivered") { db throws(Problem) in
            try db.sessions.markDelivered(session.id, generation: 1, at: now)
        }
        add("sessions.touch") { db throws(Problem) in try db.sessions.touch(session.id, at: now) }
        add("sessions.revoke") { db throws(Problem) in
            _ = try db.sessions.revoke(session.id, at: now)
        }
        add("sessions.revokeAll") { db throws(Problem) in
            _ = try db.sessions.revokeAll(of: user, at: now)
        }
        add("sessions.live") { db throws(Problem) in _ = try db.sessions.live(of: user, at: now) }
        add("sessions.isKnown") { db throws(Problem) in
            _ = try db.sessions.isKnown("192.0.2.1", to: user)
        }
        add("sessions.places") { db throws(Problem) in
            _ = try db.sessions.places(of: user, since: now, atMost: 9)
        }
        add("sessions.prune") { db throws(Problem) in
            _ = try db.sessions.prune(endedBefore: now, atMost: 9)
        }
    }

    private mutating func addKeys() {
        let (user, page, now) = (user.id, page, sample.now)
        let key = sample.key(of: user)
        let text = APIKeyText.random(using: &sample.random)
        add("apiKeys.insert") { db throws(Problem) in try db.apiKeys.insert(key) }
        add("apiKeys.update") { db throws(Problem) in try db.apiKeys.update(key) }
        add("apiKeys.rotate") { db throws(Problem) in
            try db.apiKeys.rotate(key.id, to: text, hash: [1], overlapEnd: now)
        }
        add("apiKeys.find") { db throws(Problem) in
            _ = try db.apiKeys.find(key.id, of: user)
            _ = try db.apiKeys.find(key.id)
            _ = try db.apiKeys.find(publicID: key.publicID)
        }
        add("apiKeys.list") { db throws(Problem) in _ = try db.apiKeys.list(of: user, page) }
        add("apiKeys.countLive") { db throws(Problem) in
            _ = try db.apiKeys.countLive(of: user, at: now)
        }
        add("apiKeys.recordUse") { db throws(Problem) in
            try db.apiKeys.recordUse(key.id, at: now)
        }
        add("apiKeys.revoke") { db throws(Problem) in _ = try db.apiKeys.revoke(key.id, at: now) }
    }

    private mutating func addSubscriptions() {
        let (user, plan, page) = (user.id, plan, page)
        let end = sample.now + .seconds(1)
        let subscription = sample.subscription(of: user, to: plan, expiresAt: end)
        add("subscriptions.insert") { db throws(Problem) in
            try db.subscriptions.insert(subscription)
        }
        add("subscriptions.update") { db throws(Problem) in
            try db.subscriptions.update(subscription)
        }
        add("subscriptions.find") { db throws(Problem) in
            _ = try db.subscriptions.find(subscription.id)
        }
        add("subscriptions.active") { db throws(Problem) in
            _ = try db.subscriptions.active(of: user)
        }
        add("subscriptions.due") { db throws(Problem) in
            _ = try db.subscriptions.due(at: end, atMost: 9)
        }
        add("subscriptions.expireSubscription") { db throws(Problem) in
            try db.expireSubscription(of: user, at: end)
        }
        add("subscriptions.subscribe") { db throws(Problem) in
            _ = try db.subscribe(user, to: plan, expiresAt: nil, at: end)
        }
        add("subscriptions.current") { db throws(Problem) in
            try db.execute("UPDATE subscriptions SET status = 'expired' WHERE user_id = \(user)")
            _ = try db.subscriptions.current(of: user)
        }
        let filters: [(String, Subscriptions.Filter)] = [
            ("all", .init()), ("user", .init(user: user)), ("plan", .init(plan: "plan")),
            ("status", .init(status: .active)),
            ("user, plan and status", .init(user: user, plan: "plan", status: .active)),
        ]
        for (name, filter) in filters {
            add("subscriptions.list \(name)") { db throws(Problem) in
                _ = try db.subscriptions.list(filter, page)
            }
        }
    }

    private mutating func addUsage() {
        let (user, now) = (user.id, sample.now)
        let delta = sample.delta(of: user, 1, key: sample.id())
        let rate = RateStates.Entry(subject: "user:a", name: "b", rate: RateLimiter())
        add("quotaAlerts.insert") { db throws(Problem) in
            _ = try db.quotaAlerts.insert(Sample.quotaUse(), of: user, threshold: .near, at: now)
        }
        add("quotaAlerts.prune") { db throws(Problem) in
            _ = try db.quotaAlerts.prune(createdBefore: now, atMost: 9)
        }
        add("usage.add") { db throws(Problem) in try db.usage.add([delta]) }
        add("usage.fold") { db throws(Problem) in _ = try db.usage.fold([delta], batch: 1) }
        add("usage.foldMark") { db throws(Problem) in _ = try db.usage.foldMark() }
        add("usage.current") { db throws(Problem) in _ = try db.usage.current(of: user, at: now) }
        add("usage.history") { db throws(Problem) in
            _ = try db.usage.history(
                of: user, metric: "requests", window: .day, from: "2026-11-01", to: "2026-11-30")
        }
        add("usage.prune") { db throws(Problem) in
            _ = try db.usage.prune(.hour, before: "2026-11-23T16", atMost: 9)
        }
        add("usage.top") { db throws(Problem) in
            _ = try db.usage.top(metric: "requests", window: .month, period: "2026-11", limit: 9)
        }
        add("usage.total") { db throws(Problem) in
            _ = try db.usage.total(metric: "requests", window: .month, period: "2026-11")
        }
        add("rateStates.save") { db throws(Problem) in try db.rateStates.save([rate]) }
        add("rateStates.load") { db throws(Problem) in _ = try db.rateStates.load("user:a") }
        add("rateStates.find") { db throws(Problem) in
            _ = try db.rateStates.find("user:a", "a")
        }
        add("rateStates.prune") { db throws(Problem) in
            _ = try db.rateStates.prune(updatedBefore: now, atMost: 9)
        }
        add("rateStates.pruneRuns") { db throws(Problem) in
            _ = try db.rateStates.pruneRuns(keeping: 9, atMost: 9)
        }
    }

    private mutating func addRest() {
        let (user, page, now) = (user, page, sample.now)
        let item = sample.item(of: user.id)
        add("items.insert") { db throws(Problem) in try db.items.insert(item) }
        add("items.update") { db throws(Problem) in try db.items.update(item) }
        add("items.find") { db throws(Problem) in _ = try db.items.find(item.id, of: user.id) }
        add("items.list") { db throws(Problem) in _ = try db.items.list(of: user.id, page) }
        add("items.count") { db throws(Problem) in _ = try db.items.count(of: user.id) }
        add("items.delete") { db throws(Problem) in
            _ = try db.items.delete(item.id, of: user.id)
        }
        add("oneTimeTokens.insert") { db throws(Problem) in
            try db.oneTimeTokens.insert(
                hash: [1], purpose: .verify, user: user.id, email: user.email, at: now,
                expiresAt: now)
            try db.oneTimeTokens.insert(
                hash: [2], purpose: .setup, user: nil, email: nil, at: now, expiresAt: now)
        }
        add("oneTimeTokens.hasLive") { db throws(Problem) in
            _ = try db.oneTimeTokens.hasLive(.setup, at: now)
        }
        add("oneTimeTokens.find") { db throws(Problem) in
            _ = try db.oneTimeTokens.find([1], purpose: .verify, at: now)
        }
        add("oneTimeTokens.renew") { db throws(Problem) in
            _ = try db.oneTimeTokens.renew([1], until: now)
        }
        add("oneTimeTokens.redeem") { db throws(Problem) in
            _ = try db.oneTimeTokens.redeem([1], purpose: .verify, at: now)
        }
        add("oneTimeTokens.revoke") { db throws(Problem) in
            try db.oneTimeTokens.revoke(.verify, of: user.id)
            try db.oneTimeTokens.revoke(.setup, of: nil)
        }
        add("oneTimeTokens.revokeAll") { db throws(Problem) in
            try db.oneTimeTokens.revokeAll(of: user.id)
        }
        add("oneTimeTokens.prune") { db throws(Problem) in
            _ = try db.oneTimeTokens.prune(endedBefore: now, atMost: 9)
        }
        add("installation.set") { db throws(Problem) in try db.installation.set("a", "b") }
        add("installation.value") { db throws(Problem) in _ = try db.installation.value("a") }
        add("installation.remove") { db throws(Problem) in try db.installation.remove("a") }
        add("installation.next") { db throws(Problem) in _ = try db.installation.next("c") }
    }

    private mutating func addAudit() {
        let (user, now) = (user.id, sample.now)
        let event = AuditEvent(action: "a", actor: .user(user), target: "b", address: "192.0.2.1")
        add("audit.append") { db throws(Problem) in try db.audit.append(event, at: now) }
        add("auditNotes.add") { db throws(Problem) in try db.auditNotes.add(event, at: now) }
        add("auditNotes.enter") { db throws(Problem) in _ = try db.auditNotes.enter() }
        add("audit.verify") { db throws(Problem) in
            _ = try db.audit.verify(after: 0, previous: [], count: 9)
        }
        add("audit.eraseAddresses") { db throws(Problem) in
            try db.audit.eraseAddresses(of: user)
        }
        var (byActor, byTarget, byAction) = (
            AuditLog.Filter(), AuditLog.Filter(), AuditLog.Filter()
        )
        var byTime = AuditLog.Filter()
        byActor.actor = "user:a"
        byTarget.target = "user:a"
        byAction.action = "a"
        (byTime.from, byTime.to) = (now, now)
        let filters = [
            ("all", AuditLog.Filter()), ("actor", byActor), ("target", byTarget),
            ("action", byAction), ("time", byTime),
        ]
        for (name, filter) in filters {
            add("audit.list \(name)") { db throws(Problem) in
                _ = try db.audit.list(filter, before: 5, limit: 9)
            }
        }
    }

    /// The last one: it takes the user's rows along.
    private mutating func addDeletion() {
        let user = user.id
        add("accounts.delete") { db throws(Problem) in _ = try db.accounts.delete(user) }
    }
}
