import Domain
import HTTPTypes
import Store

extension Appliance {
    var accountRoutes: [Route] {
        [
            Route(.get, "/api/v1/me", .user) { call throws(Problem) in
                .json(encoded: try call.signedIn().snapshot.encoded)
            },
            Route(.patch, "/api/v1/me", .user) { call throws(Problem) in
                try await self.updateMe(call)
            },
            Route(.post, "/api/v1/me/password", .user) { call throws(Problem) in
                var form = try await call.form()
                let current = form.password("current_password")
                let new = form.password("new_password")
                let (old, fresh) = try form.finish(current, new)
                try await self.changePassword(
                    of: try call.signedIn(), from: old, to: fresh, origin: call.origin,
                    at: call.now)
                return .noContent
            },
            Route(.delete, "/api/v1/me", .user) { call throws(Problem) in
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

extension JSONWriter {
    /// `User`.
    mutating func user(_ account: Account, plan: String?) {
        object { json in
            json.member("id", account.id)
            json.member("email", account.email.description)
            json.member("name", account.name)
            json.member("role", account.role.rawValue)
            json.member("is_active", account.isActive)
            json.member("is_superuser", account.role == .admin)
            json.member("email_verified", account.isEmailVerified)
            json.member("totp_enabled", account.hasTOTP)
            json.member("plan", plan)
            json.member("created_at", account.createdAt)
            json.member("updated_at", account.updatedAt)
        }
    }
}
