import Domain
import Store

/// What admins change of accounts, over HTTP or from a shell.
extension Appliance {
    /// Changes an account and audits what changed. The last active admin stays one.
    ///
    /// - Parameter check: whether that change, from the first to the second, is allowed.
    func changeUser(
        _ id: UserID, by actor: AuditEvent.Actor, from origin: Origin, at now: Timestamp,
        check: @escaping @Sendable (Account, Account) throws(Problem) -> Void = { _, _ in },
        _ change: @escaping @Sendable (inout Account) -> Void
    ) async throws(Problem) -> AccountSnapshot {
        let (snapshot, ended) = try await store.write { db throws(Problem) in
            guard let before = try db.accounts.find(id) else { throw Problem.notFound("user") }
            var account = before
            change(&account)
            try check(before, account)
            if before.isActiveAdmin, !account.isActiveAdmin,
                try db.accounts.activeAdmins(besides: id) == 0
            {
                throw Self.lastAdmin
            }
            // What a token says about its bearer must stay true, and nobody comes by other rights
            // in a session that somebody may have had before (security S1): they sign in again.
            let hasOtherRights =
                account.role != before.role || account.isActive != before.isActive
            if hasOtherRights { account.tokenVersion += 1 }
            account.updatedAt = now
            _ = try db.accounts.update(account)
            let ended = hasOtherRights ? try db.sessions.revokeAll(of: id, at: now) : []
            try db.audit.append(
                origin.event(
                    "user.updated", by: actor, on: "user:\(id)",
                    meta: Self.changes(from: before, to: account)),
                at: now)
            let plan = try db.subscriptions.active(of: id)?.planSlug
            return (AccountSnapshot(account, plan: plan), ended)
        }
        authenticator.forget(account: id)
        authenticator.forget(sessions: ended)
        return snapshot
    }

    private static func changes(from before: Account, to after: Account) -> [JSON.Member] {
        var changes = AuditEvent.Changes()
        changes.note("role", .string(before.role.rawValue), .string(after.role.rawValue))
        changes.note("is_active", .bool(before.isActive), .bool(after.isActive))
        changes.note(
            "email_verified", .bool(before.isEmailVerified), .bool(after.isEmailVerified))
        changes.notePersonal("name", before.name, after.name)
        return changes.members
    }

    /// `gatehouse admin reset-password`. Without a password, returns the link that sets one; until
    /// it is used nothing changes.
    func resetAdminPassword(
        of email: EmailAddress, to password: Secret?, from origin: Origin, at now: Timestamp
    ) async throws(Problem) -> String? {
        let account = try await account(named: email.description)
        guard account.role == .admin else {
            throw Problem(.conflict, "\(email) is no admin; others reset their own by mail.")
        }
        guard account.isActive else {
            throw Problem(
                .conflict, "\(email) is not active. Run: gatehouse user activate \(email)")
        }
        guard let password else {
            let token = OpaqueToken()
            try await store.write { db throws(Problem) in
                try self.insertReset(token, of: account, db, at: now)
                try db.audit.append(
                    origin.event(
                        "user.reset_link_made", by: .shell, on: "user:\(account.id)"), at: now)
            }
            return "\(configuration.publicURL)/reset-password#token=\(token.secret.text)"
        }
        try policy.check(password, about: account.ownWords, field: "password")
        let hash = try await hasher.hash(password)
        let ended = try await store.write { db throws(Problem) in
            guard let current = try db.accounts.find(account.id) else {
                throw Problem.notFound("user")
            }
            return try self.setPassword(hash, of: current, by: .shell, db, from: origin, at: now)
        }
        passwordWasReset(account, ended: ended, at: now)
        return nil
    }
}
