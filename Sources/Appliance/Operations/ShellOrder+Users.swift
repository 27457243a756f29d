import Domain
import HTTPTypes
import Store

extension ShellOrder {
    static let users = [
        listUsers, showUser, activateUser, deactivateUser, revokeSessions, resetTOTP,
    ]

    static let listUsers = ShellOrder("users/list") { appliance, json, _, _ throws(Problem) in
        var form = try Form(json)
        var filter = Accounts.Filter()
        filter.search = form.argument("search", required: false)
        filter.role = form.optional("role") { $0.choice("role", $1, Account.Role.self) }
        filter.isActive = form.bool("active")
        filter.plan = form.argument("plan", required: false)
        let page = form.page()
        try form.finish()
        let wanted = filter
        let users = try await appliance.store.read { db throws(Problem) in
            try db.accounts.list(wanted, page)
        }
        return .page(users, page, last: users.last?.account.id) {
            $0.user($1.account, plan: $1.plan)
        }
    }

    static let showUser = ShellOrder("users/show") { appliance, json, _, _ throws(Problem) in
        let user = try await appliance.user(in: json)
        guard let snapshot = try await appliance.authenticator.account(user) else {
            throw .notFound("user")
        }
        return .json(encoded: snapshot.encoded)
    }

    static let activateUser = change("users/activate") { $0.isActive = true }

    static let deactivateUser = change("users/deactivate") { $0.isActive = false }

    private static func change(
        _ name: String, _ change: @escaping @Sendable (inout Account) -> Void
    ) -> ShellOrder {
        ShellOrder(name) { appliance, json, origin, now throws(Problem) in
            let user = try await appliance.user(in: json)
            let snapshot = try await appliance.changeUser(
                user, by: .shell, from: origin, at: now, change)
            return .json(encoded: snapshot.encoded)
        }
    }

    static let revokeSessions = ShellOrder("users/revoke-sessions") {
        appliance, json, origin, now throws(Problem) in
        let user = try await appliance.user(in: json)
        let count = try await appliance.signOutEverywhere(
            user, by: .shell, from: origin, at: now)
        return .json { json in
            json.object { json in
                json.member("user_id", user)
                json.member("sessions", Int64(count))
            }
        }
    }

    static let resetTOTP = ShellOrder("users/reset-totp") {
        appliance, json, origin, now throws(Problem) in
        let user = try await appliance.user(in: json)
        let snapshot = try await appliance.removeTOTP(
            of: user, by: .shell, from: origin, at: now)
        return .json(encoded: snapshot.encoded)
    }

    static let resetAdminPassword = ShellOrder("admins/reset-password") {
        appliance, json, origin, now throws(Problem) in
        var form = try Form(json)
        let email = form.email("email")
        let password = form.value("password") == nil ? nil : form.password("password")
        let address = try form.finish(email)
        let link = try await appliance.resetAdminPassword(
            of: address, to: password, from: origin, at: now)
        return .json { json in
            json.object { json in
                json.member("email", address.description)
                json.member("link", link)
            }
        }
    }

    static let setSubscription = ShellOrder("subscriptions/set") {
        appliance, json, origin, now throws(Problem) in
        var form = try Form(json)
        let name = form.argument("user")
        let plan = form.argument("plan")
        let expiresAt = form.optional("expires_at") { $0.expiry("expires_at", $1, after: now) }
        let (person, slug) = try form.finish(name, plan)
        let user = try await appliance.account(named: person).id
        let subscription = try await appliance.giveSubscription(
            to: user, plan: slug, expiresAt: expiresAt, by: .shell, from: origin, at: now
        ) { _, _ in }
        return .json { $0.subscription(subscription) }
    }
}

extension Appliance {
    /// For an order that is about one user and has nothing else to say.
    fileprivate func user(in json: JSON) async throws(Problem) -> UserID {
        var form = try Form(json)
        let name = form.argument("user")
        return try await account(named: try form.finish(name)).id
    }
}
