import Domain
import Store

/// Signing in, staying signed in, signing out.
extension Appliance {
    /// The same answer, after the same work, for a wrong password, an unknown address and an
    /// account that may not sign in (security E1–E3).
    private static let wrongCredentials = Problem(
        .invalidCredentials, "The e-mail address or the password is wrong.")

    func signIn(
        email: EmailAddress, password: Secret, from origin: Origin, at now: Timestamp
    ) async throws(Problem) -> TokenPair {
        let address = origin.address?.description
        if let from = origin.address {
            try throttle.take(.loginByAddress, from.throttleKey, at: now)
        }
        let (credentials, isKnown) = try await store.read { db throws(Problem) in
            let credentials = try db.accounts.credentials(email)
            guard let credentials, let address else { return (credentials, false) }
            return (credentials, try db.sessions.isKnown(address, to: credentials.account.id))
        }
        let hash = credentials?.passwordHash
        // An owner at a known address is counted apart: strangers' guesses cannot lock them out.
        // And guesses are at one password: a new one begins a new run everywhere (security L2).
        let subject = [email.description, isKnown ? address ?? "" : "", hash ?? ""]
            .joined(separator: " ")
        try throttle.take(Throttle.Guess.login, subject, at: now)

        let isRight = try await hasher.verify(password, against: hash)
        guard isRight, let credentials, let hash, credentials.account.isActive else {
            try await recordFailure(credentials?.account, from: origin, at: now)
            throw Self.wrongCredentials
        }
        if configuration.auth.requireVerifiedEmail, !credentials.account.isEmailVerified {
            throw Problem(.forbidden, "Verify the e-mail address first; the link is in your mail.")
        }
        let fresh = hasher.isOutdated(hash) ? try await hasher.hash(password) : nil
        let pair = try await store.write { db throws(Problem) -> TokenPair? in
            // It may have been changed, banned or deleted since it was read.
            guard let current = try db.accounts.credentials(credentials.account.id),
                current.passwordHash == hash, current.account.isActive
            else { return nil }
            if let fresh {
                try db.accounts.replacePasswordHash(hash, with: fresh, of: current.account.id)
            }
            let id = current.account.id
            try db.audit.append(
                origin.event("session.signed_in", by: .user(id), on: "user:\(id)"), at: now)
            return try self.insertSession(of: current.account, db, from: origin, at: now)
        }
        guard let pair else { throw Self.wrongCredentials }
        throttle.forgive(.login, subject)
        return pair
    }

    private func recordFailure(
        _ account: Account?, from origin: Origin, at now: Timestamp
    ) async throws(Problem) {
        // A row for an unknown address too: otherwise the time would tell.
        let target = account.map { "user:\($0.id)" } ?? "user:unknown"
        try await store.write { db throws(Problem) in
            try db.audit.append(
                origin.event("session.sign_in_failed", by: .anonymous, on: target), at: now)
        }
    }

    // MARK: Refresh

    private enum Refreshed: Sendable {
        case pair(TokenPair)
        case reused(Account)
        case ended
    }

    func refresh(
        _ token: Secret, from origin: Origin, at now: Timestamp
    ) async throws(Problem) -> TokenPair {
        let hash = OpaqueToken.hash(of: token)
        let (outcome, session) = try await store.write { db throws(Problem) in
            guard let presented = try db.sessions.find(tokenHash: hash),
                let account = try db.accounts.find(presented.session.userID), account.isActive
            else { return (Refreshed.ended, SessionID?.none) }
            let id = presented.session.id
            try self.throttle.take(.refreshBySession, "\(id)", at: now)
            return (try self.rotate(presented, of: account, db, from: origin, at: now), id)
        }
        if let session { authenticator.forget(sessions: [session]) }
        switch outcome {
        case .pair(let pair): return pair
        case .reused(let account):
            logger.warning(
                "refresh token reused; session ended",
                metadata: [
                    "user_id": "\(account.id)", "request_id": "\(origin.requestID)",
                ])
            mail(.tokenReused(publicURL: configuration.publicURL), to: account.email, at: now)
            throw Problem(
                .refreshTokenReused, "This refresh token was used before; sign in again.")
        case .ended:
            try throttleGuesses(from: origin, at: now)
            throw Problem(.invalidRefreshToken, "This refresh token is not valid; sign in again.")
        }
    }

    /// Carries out what `Session.rotation` decides, in the transaction that read the session.
    private func rotate(
        _ presented: Sessions.Presented, of account: Account, _ db: any Connection,
        from origin: Origin, at now: Timestamp
    ) throws(Problem) -> Refreshed {
        var session = presented.session
        // Memory may know of a delivery that the store has yet to learn.
        session.deliveredAt =
            session.deliveredAt
            ?? authenticator.delivery(of: session.id, generation: session.generation)
        let rotation = session.rotation(
            presenting: presented.token, at: now, grace: configuration.auth.refreshGrace)
        switch rotation {
        case .advance:
            session.generation += 1
            session.deliveredAt = nil
        case .reissue(let moment):
            try db.sessions.orphan(
                session.id, generation: session.generation, issuedBefore: moment)
        case .reuse:
            _ = try db.sessions.revoke(session.id, at: now)
            try db.audit.append(
                origin.event(
                    "session.token_reused", by: .anonymous, on: "user:\(account.id)",
                    meta: [JSON.Member("session", .string("\(session.id)"))]),
                at: now)
            return .reused(account)
        case .ended: return .ended
        }
        session.lastUsedAt = now
        try db.sessions.update(session)
        let refresh = try insertRefreshToken(for: session, db, from: origin, at: now)
        let plan = try db.subscriptions.active(of: account.id)?.planSlug
        return .pair(
            try tokenPair(
                AccountSnapshot(account, plan: plan), session: session, refresh: refresh, at: now))
    }

    // MARK: Signing out

    /// Ends the session that a refresh token belongs to; one that belongs to none changes nothing.
    func signOut(refreshToken: Secret, from origin: Origin, at now: Timestamp) async throws(Problem)
    {
        let hash = OpaqueToken.hash(of: refreshToken)
        let session = try await store.read { db throws(Problem) in
            try db.sessions.find(tokenHash: hash)?.session
        }
        guard let session else { return }
        try await signOut(session.id, of: session.userID, from: origin, at: now)
    }

    func signOut(
        _ session: SessionID, of user: UserID, from origin: Origin, at now: Timestamp
    ) async throws(Problem) {
        try await store.write { db throws(Problem) in
            guard try db.sessions.revoke(session, at: now) else { return }
            try db.audit.append(
                origin.event(
                    "session.ended", by: .user(user), on: "user:\(user)",
                    meta: [JSON.Member("session", .string("\(session)"))]),
                at: now)
        }
        authenticator.forget(sessions: [session])
    }

    /// Every session but `kept`; returns how many were live.
    @discardableResult
    func signOutEverywhere(
        _ user: UserID, except kept: SessionID? = nil, by actor: AuditEvent.Actor,
        from origin: Origin, at now: Timestamp
    ) async throws(Problem) -> Int {
        let ended = try await store.write { db throws(Problem) in
            let ended = try db.sessions.revokeAll(of: user, except: kept, at: now)
            try db.audit.append(
                origin.event(
                    "session.ended_all", by: actor, on: "user:\(user)",
                    meta: [JSON.Member("sessions", .integer(Int64(ended.count)))]),
                at: now)
            return ended
        }
        authenticator.forget(sessions: ended)
        return ended.count
    }
}
