import Domain
import Store

/// Accounts that an admin begins, and links to set a password that an admin sends. Nobody but the
/// owner ever sees or chooses a password (security D3).
extension Appliance {
    /// An invitation waits in a mailbox over a week-end. It opens an account with nothing in it, so
    /// it may live longer than a link to a password that guards something (security T10); one that
    /// makes staff lives as long as the setup link.
    private static func invitationTTL(_ role: Account.Role) -> Duration {
        switch role {
        case .user: .seconds(7 * 86_400)
        case .support, .admin: .seconds(24 * 3600)
        }
    }

    /// An account without a password, on the default plan; the link in the mail sets one. It is a
    /// reset link, so a forgotten or late invitation is replaced by asking for a new password.
    ///
    /// - Parameter finish: makes what is returned, in the transaction.
    func invite<Value: Sendable>(
        _ email: EmailAddress, name: String?, role: Account.Role, by actor: AuditEvent.Actor,
        from origin: Origin, at now: Timestamp,
        finish: @escaping @Sendable (AccountSnapshot, any Connection) throws(Problem) -> Value
    ) async throws(Problem) -> Value {
        let account = Self.newAccount(email: email, name: name, role: role, at: now)
        let token = OpaqueToken()
        let lifetime = Self.invitationTTL(role)
        return try await store.write { db throws(Problem) in
            guard try self.insert(account, passwordHash: nil, db, at: now) else {
                throw Problem(.emailTaken, "There is an account with this e-mail address.")
            }
            try db.oneTimeTokens.insert(
                hash: token.hash, purpose: .reset, user: account.id, email: email, at: now,
                expiresAt: now + lifetime)
            try db.audit.append(
                origin.event(
                    "user.invited", by: actor, on: "user:\(account.id)",
                    meta: [JSON.Member("role", .string(role.rawValue))]),
                at: now)
            let days = lifetime.wholeMilliseconds / 86_400_000
            try self.post(.invitation(token: token.secret, days: days), to: email, db, at: now)
            let plan = try db.subscriptions.active(of: account.id)?.planSlug
            return try finish(AccountSnapshot(account, plan: plan), db)
        }
    }

    /// Sends the link that a forgotten password gets.
    func sendReset(
        to user: UserID, by actor: AuditEvent.Actor, from origin: Origin, at now: Timestamp
    ) async throws(Problem) {
        let token = OpaqueToken()
        try await store.write { db throws(Problem) in
            guard let account = try db.accounts.find(user) else { throw Problem.notFound("user") }
            guard account.isActive else {
                throw Problem(.conflict, "This account is not active; its links do not work.")
            }
            try self.insertReset(token, of: account, db, at: now)
            try db.audit.append(
                origin.event("user.password_reset_sent", by: actor, on: "user:\(user)"), at: now)
            try self.post(.reset(token: token.secret), to: account.email, db, at: now)
        }
    }
}
