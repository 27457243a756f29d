import Domain
import HTTPTypes
import Store

extension Appliance {
    var accountRoutes: [Route] {
        [
            Route(.get, "/api/v1/me", .user, .showMe) { call throws(Problem) in
                .json(encoded: try call.signedIn().snapshot.encoded)
            },
            Route(.patch, "/api/v1/me", .user, .updateMe) { call throws(Problem) in
                try await self.updateMe(call)
            },
            Route(.post, "/api/v1/me/password", .user, .changePassword) { call throws(Problem) in
                var form = try await call.form()
                let current = form.password("current_password")
                let new = form.password("new_password")
                let (old, fresh) = try form.finish(current, new)
                try await self.changePassword(
                    of: try call.signedIn(), from: old, to: fresh, origin: call.origin,
                    at: call.now)
                return .noContent
            },
            Route(.delete, "/api/v1/me", .user, .deleteMe) { call throws(Problem) in
                var form = try await call.form()
                let current = form.password("current_password")
                let password = try form.finish(current)
                let caller = try call.signedIn()
                _ = try await self.confirm(password, of: caller, at: call.now)
                try await self.deleteAccount(of: caller, from: call.origin, at: call.now)
                return .noContent
            },
        ]
    }

    private func updateMe(_ call: Call) async throws(Problem) -> Answer {
        var form = try await call.form()
        let name = form.change("name") { $0.words("name", $1, max: Account.nameMax) }
        let email = form.email("email", required: false)
        let caller = try call.signedIn()
        var password: Secret?
        if form.value("current_password") != nil {
            password = form.password("current_password")
        } else if let email, email != caller.account.email {
            form.refuse(
                "current_password", "required", "A new address needs the current password.")
        }
        try form.finish()
        if let password { _ = try await confirm(password, of: caller, at: call.now) }
        let snapshot = try await updateProfile(
            of: caller, name: name, email: email, from: call.origin, at: call.now)
        return .json(encoded: snapshot.encoded)
    }
}

extension Shapes {
    static let user = Shape<(account: Account, plan: String?)>(
        "User",
        [
            .member("id") { $0.account.id },
            .member("email", .email) { $0.account.email.description },
            .member("name", .words(max: Account.nameMax, example: "Ann")) { $0.account.name },
            .member("role") { $0.account.role },
            .member("is_active") { $0.account.isActive },
            .member("is_superuser", .boolean.noted("role is admin.")) { $0.account.role == .admin },
            .member("email_verified") { $0.account.isEmailVerified },
            .member("totp_enabled") { $0.account.hasTOTP },
            .member("plan", .slug) { $0.plan },
            .member("created_at") { $0.account.createdAt },
            .member("updated_at") { $0.account.updatedAt },
        ])
}

extension JSONWriter {
    /// `User`.
    mutating func user(_ account: Account, plan: String?) {
        write((account, plan), as: Shapes.user)
    }
}
