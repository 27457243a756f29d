import Domain
import HTTPTypes
import Store

extension Appliance {
    var adminUserRoutes: [Route] {
        [
            Route(.get, "/api/v1/admin/users", .adminRead, .listUsers) { call throws(Problem) in
                try await self.answer(try Self.users(call), to: call)
            },
            Route(.post, "/api/v1/admin/users", .adminWrite, .inviteUser, creates: true) {
                call throws(Problem) in try await self.adminInviteUser(call)
            },
            Route(.get, "/api/v1/admin/users/{id}", .adminRead, .showUser) { call throws(Problem) in
                .json(encoded: try await self.adminUser(call).encoded)
            },
            Route(.patch, "/api/v1/admin/users/{id}", .adminWrite, .updateUser) {
                call throws(Problem) in
                try await self.adminUpdateUser(call)
            },
            Route(.get, "/api/v1/admin/users/{id}/usage", .adminRead, .showUserUsage) {
                call throws(Problem) in
                let id = try await self.adminUser(call).account.id
                let report = try await self.gatekeeper.report(id, at: call.now)
                return .json { $0.usageReport(report) }
            },
            Route(.get, "/api/v1/admin/users/{id}/sessions", .adminRead, .listUserSessions) {
                call throws(Problem) in
                let id = try await self.adminUser(call).account.id
                let (now, own) = (call.now, try call.signedIn().sessionID)
                let sessions = try await self.store.read { db throws(Problem) in
                    try db.sessions.live(of: id, at: now)
                }
                return .list(sessions, nextCursor: nil) { $0.session($1, isCurrent: $1.id == own) }
            },
            Route(.post, "/api/v1/admin/users/{id}/revoke-sessions", .adminWrite, .endUserSessions)
            {
                call throws(Problem) in
                try await self.signOutEverywhere(
                    try await self.adminUser(call).account.id, by: try call.signedIn().actor,
                    from: call.origin, at: call.now)
                return .noContent
            },
            Route(.post, "/api/v1/admin/users/{id}/reset-password", .adminWrite, .sendUserReset) {
                call throws(Problem) in
                try await self.sendReset(
                    to: try await self.adminUser(call).account.id, by: try call.signedIn().actor,
                    from: call.origin, at: call.now)
                return Answer(.accepted)
            },
        ]
    }

    enum YesNo: String, CaseIterable { case `true`, `false` }

    private static func users(_ call: Call) throws(Problem) -> Listing<Accounts.Listed> {
        var filter = Accounts.Filter()
        filter.search = try call.queryText("q")
        filter.role = try call.queryChoice("role", Account.Role.self)
        filter.isActive = try call.queryChoice("active", YesNo.self).map { $0 == .true }
        filter.plan = try call.querySlug("plan")
        let wanted = filter
        let order = try call.queryChoice("sort", Accounts.Order.self) ?? .newest
        return Listing(
            name: "users", filters: ["q", "role", "active", "plan", "sort"],
            columns: [
                "id", "email", "name", "role", "is_active", "email_verified", "totp_enabled",
                "plan", "created_at", "updated_at",
            ],
            write: { $0.user($1.account, plan: $1.plan) },
            position: { order.position(of: $0.account) },
            read: { db, page throws(Problem) in try db.accounts.list(wanted, by: order, page) })
    }

    private func adminUser(_ call: Call) async throws(Problem) -> AccountSnapshot {
        let id: UserID = try call.id("user")
        guard let snapshot = try await authenticator.account(id) else { throw .notFound("user") }
        return snapshot
    }

    private func adminInviteUser(_ call: Call) async throws(Problem) -> Answer {
        var form = try await call.form()
        let email = form.email("email")
        let name = form.words("name", max: Account.nameMax, required: false)
        let role = form.optional("role") { $0.choice("role", $1, Account.Role.self) } ?? .user
        let address = try form.finish(email)
        let caller = try call.signedIn()
        if role != .user { try demandRecentSignIn(caller, at: call.now) }
        return try await invite(
            address, name: name, role: role, by: caller.actor, from: call.origin, at: call.now
        ) { snapshot, db throws(Problem) in
            let answer = Answer.json(.created, encoded: snapshot.encoded)
            try call.keep(answer, db)
            return answer
        }
    }

    private func adminUpdateUser(_ call: Call) async throws(Problem) -> Answer {
        let id: UserID = try call.id("user")
        var form = try await call.form()
        let role = form.optional("role") { $0.choice("role", $1, Account.Role.self) }
        let isActive = form.bool("is_active")
        let name = form.change("name") { $0.words("name", $1, max: Account.nameMax) }
        let isVerified = form.bool("email_verified")
        try form.finish()
        let (caller, now) = (try call.signedIn(), call.now)
        /// Whoever makes or unmakes staff, or shuts somebody out, has just signed in.
        @Sendable func check(_ before: Account, _ after: Account) throws(Problem) {
            guard after.role != before.role || before.isActive && !after.isActive else { return }
            try demandRecentSignIn(caller, at: now)
        }
        let snapshot = try await changeUser(
            id, by: caller.actor, from: call.origin, at: now, check: check
        ) { account in
            if let role { account.role = role }
            if let isActive { account.isActive = isActive }
            if let name { account.name = name }
            if let isVerified { account.isEmailVerified = isVerified }
        }
        return .json(encoded: snapshot.encoded)
    }
}
