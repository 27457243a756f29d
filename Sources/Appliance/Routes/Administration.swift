import Domain
import HTTPTypes
import Store

extension Appliance {
    var adminRoutes: [Route] { adminUserRoutes + adminPlanRoutes + adminSubscriptionRoutes }

    private var adminUserRoutes: [Route] {
        [
            Route(.get, "/api/v1/admin/users", .adminRead) { call throws(Problem) in
                let page = try call.page()
                var filter = Accounts.Filter()
                filter.search = call.query("q")
                filter.role = try call.queryChoice("role", Account.Role.self)
                filter.isActive = try call.queryChoice("active", YesNo.self).map { $0 == .true }
                filter.plan = call.query("plan")
                let wanted = filter
                let users = try await self.store.read { db throws(Problem) in
                    try db.accounts.list(wanted, page)
                }
                let next = Call.cursor(
                    after: users.last?.account.id, isFull: users.count == page.limit)
                return .list(users, nextCursor: next) { $0.user($1.account, plan: $1.plan) }
            },
            Route(.get, "/api/v1/admin/users/{id}", .adminRead) { call throws(Problem) in
                let id: UserID = try call.id("user")
                guard let snapshot = try await self.authenticator.account(id) else {
                    throw .notFound("user")
                }
                return .json(encoded: snapshot.encoded)
            },
            Route(.patch, "/api/v1/admin/users/{id}", .adminWrite) { call throws(Problem) in
                try await self.adminUpdateUser(call)
            },
            Route(.get, "/api/v1/admin/users/{id}/usage", .adminRead) { call throws(Problem) in
                let id: UserID = try call.id("user")
                guard try await self.authenticator.account(id) != nil else {
                    throw .notFound("user")
                }
                let report = try await self.gatekeeper.report(id, at: call.now)
                return .json { $0.usageReport(report) }
            },
            Route(.post, "/api/v1/admin/users/{id}/revoke-sessions", .adminWrite) {
                call throws(Problem) in
                let id: UserID = try call.id("user")
                guard try await self.authenticator.account(id) != nil else {
                    throw .notFound("user")
                }
                try await self.signOutEverywhere(
                    id, by: try call.signedIn().actor, from: call.origin, at: call.now)
                return .noContent
            },
            Route(.get, "/api/v1/admin/usage", .adminRead) { call throws(Problem) in
                try await self.adminUsage(call)
            },
        ]
    }

    enum YesNo: String, CaseIterable { case `true`, `false` }

    private func adminUpdateUser(_ call: Call) async throws(Problem) -> Answer {
        let id: UserID = try call.id("user")
        var form = try await call.form()
        let role = form.optional("role") { $0.choice("role", $1, Account.Role.self) }
        let isActive = form.bool("is_active")
        let name = form.change("name") { $0.words("name", $1, max: Account.nameMax) }
        let isVerified = form.bool("email_verified")
        try form.finish()
        let snapshot = try await changeUser(
            id, by: try call.signedIn().actor, from: call.origin, at: call.now
        ) { account in
            if let role { account.role = role }
            if let isActive { account.isActive = isActive }
            if let name { account.name = name }
            if let isVerified { account.isEmailVerified = isVerified }
        }
        return .json(encoded: snapshot.encoded)
    }

    private func adminUsage(_ call: Call) async throws(Problem) -> Answer {
        let page = try call.page()
        let metric = try GateQuery.metric(call.query("metric"))
        let text = call.query("period") ?? Window.month.period(Window.month.index(of: call.now))
        guard let window = Window.allCases.first(where: { $0.index(period: text) != nil }) else {
            throw .invalid("period", "invalid", "Expected a period such as 2026-11.")
        }
        try await checkpoint()
        let (top, total) = try await store.read { db throws(Problem) in
            (
                try db.usage.top(
                    metric: metric, window: window, period: text, limit: page.limit),
                try db.usage.total(metric: metric, window: window, period: text)
            )
        }
        if Self.wantsCSV(call) {
            return CSV.answer(
                header: ["user_id", "email", "metric", "period", "value"],
                top.map { ["\($0.user)", $0.email, $0.metric, text, String($0.value)] })
        }
        return .json { json in
            json.object { json in
                json.member("metric", metric)
                json.member("period", text)
                json.member("total", total)
                json.member("items") { json in
                    json.array(top) { json, consumer in
                        json.object { json in
                            json.member("user_id", consumer.user)
                            json.member("email", consumer.email)
                            json.member("value", consumer.value)
                        }
                    }
                }
                json.member("next_cursor") { $0.null() }
            }
        }
    }
}
