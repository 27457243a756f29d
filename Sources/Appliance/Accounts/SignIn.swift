import Domain
import Store

/// Signing in, staying signed in, signing out.
extension Appliance {
    /// The same answer, after the same work, for a wrong password, an unknown address and an
    /// account that may not sign in (security E1–E3).
    private static let wrongCredentials = Problem(
        .invalidCredentials, "The e-mail address or the password is wrong.")

    /// - Parameter otp: what was typed as a code from the app or as a recovery code.
    func signIn(
        email: EmailAddress, password: Secret, otp: Secret?, from origin: Origin,
        at now: Timestamp
    ) async throws(Problem) -> TokenPair {
        let address = origin.address?.description
        if let from = origin.address {
            try await throttle.take(.loginByAddress, from.throttleKey, at: now)
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
        try await throttle.take(Throttle.Guess.login, subject, at: now)

        let isRight = try await hasher.verify(password, against: hash)
        guard isRight, let credentials, let hash, credentials.account.isActive else {
            try await recordFailure(credentials?.account, from: origin, at: now)
            throw Self.wrongCredentials
        }
        if configuration.auth.requireVerifiedEmail, !credentials.account.isEmailVerified {
            throw Problem(.forbidden, "Verify the e-mail address first; the link is in your mail.")
        }
        let asksCode = credentials.account.hasTOTP
        // A run of its own: who has the password has six digits to guess. The same subject, so that
        // a stranger's guesses do not lock the owner out, and a new password ends the run.
        if asksCode, otp != nil {
            try await throttle.take(Throttle.Guess.otp, subject, at: now)
        }
        let fresh = hasher.isOutdated(hash) ? try await hasher.hash(password) : nil
        let (account, code) = (credentials.account.id, asksCode ? otp : nil)
        let outcome = try await store.write { db throws(Problem) in
            try self.signIn(account, hash, fresh: fresh, otp: code, db, from: origin, at: now)
        }
        switch outcome {
        case .refused: throw Self.wrongCredentials
        case .codeMissing:
            throw Problem(.otpRequired, "Send the code from the authenticator app as otp.")
        case .codeWrong:
            throw Problem(.invalidCredentials, "The one-time code is wrong or was used.")
        case .pair(let pair):
            await throttle.forgive(.login, subject, at: now)
            if asksCode { await throttle.forgive(.otp, subject, at: now) }
            return pair
        }
    }

    private enum SignedIn: Sendable {
        case pair(TokenPair)
        case refused
        case codeMissing
        case codeWrong
    }

    /// The password was right: the code, and the session.
    private func signIn(
        _ id: UserID, _ hash: String, fresh: String?, otp: Secret?, _ db: any Connection,
        from origin: Origin, at now: Timestamp
    ) throws(Problem) -> SignedIn {
        // It may have been changed, banned or deleted since it was read.
        guard let current = try db.accounts.credentials(id), current.passwordHash == hash,
            current.account.isActive
        else { return .refused }
        func failed(_ action: String, _ outcome: SignedIn) throws(Problem) -> SignedIn {
            // Whoever comes so far has the password: worth a row.
            try db.audit.append(
                origin.event(action, by: .anonymous, on: "user:\(id)"), at: now)
            return outcome
        }
        switch try checkSecondFactor(otp, of: current.account, db, from: origin, at: now) {
        case .passed: break
        case .passedByRecoveryCode(let left):
            try post(.recoveryCodeUsed(left: left), to: current.account.email, db, at: now)
        case .missing: return try failed("session.otp_asked", .codeMissing)
        case .wrong: return try failed("session.otp_failed", .codeWrong)
        }
        if let fresh { try db.accounts.replacePasswordHash(hash, with: fresh, of: id) }
        try db.audit.append(
            origin.event("session.signed_in", by: .user(id), on: "user:\(id)"), at: now)
        try db.activity.add(Dashboard.signIns, at: now)
        try noticeDevice(of: current.account, db, from: origin, at: now)
        return .pair(try insertSession(of: current.account, db, from: origin, at: now))
    }

    private func recordFailure(
        _ account: Account?, from origin: Origin, at now: Timestamp
    ) async throws(Problem) {
        // A row for an unknown address too: otherwise the time would tell.
        let target = account.map { "user:\($0.id)" } ?? "user:unknown"
        try await store.write { db throws(Problem) in
            try db.audit.append(
                origin.event("session.sign_in_failed", by: .anonymous, on: target), at: now)
            try db.activity.add(Dashboard.signInsFailed, at: now)
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
            try self.throttle.takeHere(.refreshBySession, "\(id)", at: now)
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
            try post(.tokenReused, to: account.email, db, at: now)
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
