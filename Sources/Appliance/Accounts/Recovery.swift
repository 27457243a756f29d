import Domain
import Store

/// Passwords: forgotten, reset, changed; and the end of an account.
extension Appliance {
    func forgotPassword(
        _ email: EmailAddress, from origin: Origin, at now: Timestamp
    ) async throws(Problem) {
        try await requestLink(
            "user.password_forgotten", to: email, from: origin, at: now, purpose: .reset,
            if: { $0.isActive }, letter: Occasion.reset)
    }

    /// Somebody who is not signed in asks for a link by mail: the same answer, work and wait for
    /// the disk whether there is such an account or not (security E1, E2). Where there is none that
    /// wants a link, nobody's link and a letter to nobody are written in its place.
    func requestLink(
        _ action: String, to email: EmailAddress, from origin: Origin, at now: Timestamp,
        purpose: OneTimeTokens.Purpose, if isWanted: @escaping @Sendable (Account) -> Bool,
        letter: (_ token: Secret) -> Occasion
    ) async throws(Problem) {
        try await throttleMail(to: email, from: origin, at: now)
        let token = OpaqueToken()
        let about = try letter(token.secret).json(seal)
        try await store.write { db throws(Problem) in
            let account = try db.accounts.find(email)
            try db.audit.append(
                origin.event(
                    action, by: .anonymous, on: account.map { "user:\($0.id)" } ?? "user:unknown"),
                at: now)
            let reader = account.flatMap { isWanted($0) ? $0 : nil }
            try db.oneTimeTokens.insert(
                hash: token.hash, purpose: purpose, user: reader?.id, email: reader?.email,
                at: now, expiresAt: now + Self.linkTTL)
            try self.post(MailOrder(to: reader?.email, about: about), db, at: now)
        }
    }

    func insertReset(
        _ token: OpaqueToken, of account: Account, _ db: any Connection, at now: Timestamp
    ) throws(Problem) {
        try db.oneTimeTokens.insert(
            hash: token.hash, purpose: .reset, user: account.id, email: account.email, at: now,
            expiresAt: now + Self.linkTTL)
    }

    func resetPassword(
        _ token: Secret, to password: Secret, from origin: Origin, at now: Timestamp
    ) async throws(Problem) {
        try throttleGuesses(from: origin, at: now)
        let tokenHash = OpaqueToken.hash(of: token)
        // Whose words it must not be made of; a password that is refused leaves the link as it was.
        let owner = try await store.read { db throws(Problem) in
            try self.owner(of: try db.oneTimeTokens.find(tokenHash, purpose: .reset, at: now), db)
        }
        try policy.check(password, about: owner.ownWords, field: "password")
        let hash = try await hasher.hash(password)
        let (account, ended) = try await store.write { db throws(Problem) in
            var account = try self.owner(
                of: try db.oneTimeTokens.redeem(tokenHash, purpose: .reset, at: now), db)
            // Whoever reads this mailbox has the address.
            account.isEmailVerified = true
            let ended = try self.setPassword(
                hash, of: account, by: .user(account.id), db, from: origin, at: now)
            return (account, ended)
        }
        passwordWasReset(account, ended: ended, at: now)
    }

    /// Whose password a link sets, while it does.
    private func owner(
        of link: OneTimeTokens.Live?, _ db: any Connection
    ) throws(Problem) -> Account {
        guard let link, let user = link.user, let account = try db.accounts.find(user),
            account.isActive, account.email == link.email
        else { throw Problem(.invalidToken, "This link is not valid any more.") }
        return account
    }

    /// A new password in place of one that was forgotten or is not trusted: every session, token
    /// and link dies.
    func setPassword(
        _ hash: String, of account: Account, by actor: AuditEvent.Actor, _ db: any Connection,
        from origin: Origin, at now: Timestamp
    ) throws(Problem) -> [SessionID] {
        var account = account
        account.tokenVersion += 1
        account.updatedAt = now
        _ = try db.accounts.update(account)
        try db.accounts.setPassword(hash, of: account.id, at: now)
        try db.oneTimeTokens.revokeAll(of: account.id)
        try db.audit.append(
            origin.event("user.password_reset", by: actor, on: "user:\(account.id)"), at: now)
        try post(.passwordChanged, to: account.email, db, at: now)
        return try db.sessions.revokeAll(of: account.id, at: now)
    }

    /// After the commit of `setPassword`.
    func passwordWasReset(_ account: Account, ended: [SessionID], at now: Timestamp) {
        authenticator.forget(account: account.id)
        authenticator.forget(sessions: ended)
    }

    func changePassword(
        of caller: Caller, from current: Secret, to new: Secret, origin: Origin,
        at now: Timestamp
    ) async throws(Problem) {
        let hash = try await confirm(current, of: caller, at: now)
        try policy.check(new, about: caller.account.ownWords, field: "new_password")
        let newHash = try await hasher.hash(new)
        let user = caller.userID
        let kept = caller.sessionID
        let ended = try await store.write { db throws(Problem) in
            guard try db.accounts.credentials(user)?.passwordHash == hash else {
                throw Problem(.conflict, "The password was changed meanwhile.")
            }
            try db.accounts.setPassword(newHash, of: user, at: now)
            try db.oneTimeTokens.revokeAll(of: user)
            try db.audit.append(
                origin.event("user.password_changed", by: .user(user), on: "user:\(user)"),
                at: now)
            try self.post(.passwordChanged, to: caller.account.email, db, at: now)
            return try db.sessions.revokeAll(of: user, except: kept, at: now)
        }
        authenticator.forget(account: user)
        authenticator.forget(sessions: ended)
    }

    /// Checks the current password of somebody who is signed in; returns the hash it matched.
    func confirm(
        _ password: Secret, of caller: Caller, at now: Timestamp
    ) async throws(Problem) -> String {
        let user = caller.userID
        let hash = try await store.read { db throws(Problem) in
            try db.accounts.credentials(user)?.passwordHash
        }
        let subject = "\(user) \(hash ?? "")"
        try await throttle.take(Throttle.Guess.password, subject, at: now)
        guard try await hasher.verify(password, against: hash), let hash else {
            throw Problem(.invalidCredentials, "The current password is wrong.")
        }
        await throttle.forgive(.password, subject, at: now)
        return hash
    }

    func updateProfile(
        of caller: Caller, name: String??, email: EmailAddress?, from origin: Origin,
        at now: Timestamp
    ) async throws(Problem) -> AccountSnapshot {
        let token = OpaqueToken()
        let user = caller.userID
        let snapshot = try await store.write { db throws(Problem) in
            guard var account = try db.accounts.find(user) else { throw Authenticator.refused }
            let former = account.email
            let isNewAddress = email.map { $0 != former } ?? false
            if let name { account.name = name }
            if let email, isNewAddress {
                account.email = email
                account.isEmailVerified = false
            }
            account.updatedAt = now
            guard try db.accounts.update(account) else {
                throw Problem(.emailTaken, "There is an account with this e-mail address.")
            }
            if isNewAddress {
                try db.oneTimeTokens.revokeAll(of: user)
                try self.insertVerification(token, of: account, db, at: now)
                try self.post(
                    .verification(token: token.secret), to: account.email, db, at: now)
                try self.post(.addressChanged(to: account.email), to: former, db, at: now)
            }
            try db.audit.append(
                origin.event(
                    isNewAddress ? "user.email_changed" : "user.updated", by: .user(user),
                    on: "user:\(user)"),
                at: now)
            let plan = try db.subscriptions.active(of: user)?.planSlug
            return AccountSnapshot(account, plan: plan)
        }
        authenticator.forget(account: user)
        return snapshot
    }

    /// Everything personal goes; the audit rows stay, without addresses.
    func deleteAccount(
        of caller: Caller, from origin: Origin, at now: Timestamp
    ) async throws(Problem) {
        let user = caller.userID
        let ended = try await store.write { db throws(Problem) in
            if caller.account.role == .admin, try db.accounts.activeAdmins(besides: user) == 0 {
                throw Self.lastAdmin
            }
            let ended = try db.sessions.revokeAll(of: user, at: now)
            guard try db.accounts.delete(user) else { throw Authenticator.refused }
            try db.audit.append(
                AuditEvent(
                    action: "user.deleted", actor: .user(user), target: "user:\(user)",
                    requestID: origin.requestID),
                at: now)
            try db.audit.eraseAddresses(of: user)
            try db.idempotencyKeys.removeAll(of: Self.idempotencyOwner(user))
            return ended
        }
        authenticator.forget(account: user)
        authenticator.forget(sessions: ended)
        await gatekeeper.forget(user)
    }

    static let lastAdmin = Problem(
        .lastAdmin, "This is the last active admin; make another one first.")
}
