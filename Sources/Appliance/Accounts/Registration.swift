import Domain
import Store

/// How accounts begin.
extension Appliance {
    enum Registered: Sendable {
        case account(AccountSnapshot)
        /// `auth.require_verified_email`: the same for a new and for a taken address (security E4).
        case verificationSent
    }

    func register(
        email: EmailAddress, password: Secret, name: String?, from origin: Origin,
        at now: Timestamp,
        keep: @escaping @Sendable (Registered, any Connection) throws(Problem) -> Void
    ) async throws(Problem) -> Registered {
        if let from = origin.address {
            try await throttle.take(.registerByAddress, from.throttleKey, at: now)
        }
        try policy.check(password, about: [email.description, name ?? ""], field: "password")
        // Also for a taken address: the answer must not come sooner.
        let hash = try await hasher.hash(password)
        let account = Self.newAccount(email: email, name: name, role: .user, at: now)
        let token = OpaqueToken()
        let mustVerify = configuration.auth.requireVerifiedEmail
        let snapshot = try await store.write { db throws(Problem) -> AccountSnapshot? in
            guard try self.insert(account, passwordHash: hash, db, at: now) else {
                // A row here too: the time of an answer must not tell (security E2).
                try db.audit.append(
                    origin.event("user.register_refused", by: .anonymous, on: "user:unknown"),
                    at: now)
                if mustVerify {
                    try self.post(.addressTaken, to: email, db, at: now)
                    try keep(.verificationSent, db)
                }
                return nil
            }
            try self.insertVerification(token, of: account, db, at: now)
            try self.post(.verification(token: token.secret), to: email, db, at: now)
            try db.audit.append(
                origin.event("user.registered", by: .user(account.id), on: "user:\(account.id)"),
                at: now)
            let plan = try db.subscriptions.active(of: account.id)?.planSlug
            let snapshot = AccountSnapshot(account, plan: plan)
            try keep(mustVerify ? .verificationSent : .account(snapshot), db)
            return snapshot
        }
        guard let snapshot else {
            guard mustVerify else {
                throw Problem(.emailTaken, "There is an account with this e-mail address.")
            }
            return .verificationSent
        }
        return mustVerify ? .verificationSent : .account(snapshot)
    }

    static func newAccount(
        email: EmailAddress, name: String?, role: Account.Role, isVerified: Bool = false,
        at now: Timestamp
    ) -> Account {
        var random = SystemRandomNumberGenerator()
        return Account(
            id: ID(at: now, using: &random), email: email, name: name, role: role,
            isEmailVerified: isVerified, createdAt: now, updatedAt: now)
    }

    /// An account and its subscription to the default plan; false when the address is taken.
    func insert(
        _ account: Account, passwordHash: String?, _ db: any Connection, at now: Timestamp
    ) throws(Problem) -> Bool {
        guard try db.accounts.insert(account, passwordHash: passwordHash) else { return false }
        try db.activity.add(Dashboard.usersCreated, at: now)
        if let plan = try db.plans.findDefault() {
            _ = try db.subscribe(account.id, to: plan, expiresAt: nil, at: now)
        }
        return true
    }

    // MARK: Verified addresses

    func insertVerification(
        _ token: OpaqueToken, of account: Account, _ db: any Connection, at now: Timestamp
    ) throws(Problem) {
        try db.oneTimeTokens.insert(
            hash: token.hash, purpose: .verify, user: account.id, email: account.email, at: now,
            expiresAt: now + Self.linkTTL)
    }

    func verifyEmail(
        _ token: Secret, from origin: Origin, at now: Timestamp
    ) async throws(Problem) {
        try throttleGuesses(from: origin, at: now)
        let hash = OpaqueToken.hash(of: token)
        let user = try await store.write { db throws(Problem) -> UserID in
            guard let redeemed = try db.oneTimeTokens.redeem(hash, purpose: .verify, at: now),
                let user = redeemed.user, var account = try db.accounts.find(user),
                account.email == redeemed.email
            else { throw Problem(.invalidToken, "This link is not valid any more.") }
            account.isEmailVerified = true
            account.updatedAt = now
            _ = try db.accounts.update(account)
            try db.audit.append(
                origin.event("user.email_verified", by: .user(user), on: "user:\(user)"), at: now)
            return user
        }
        authenticator.forget(account: user)
    }

    func resendVerification(
        to email: EmailAddress, from origin: Origin, at now: Timestamp
    ) async throws(Problem) {
        try await requestLink(
            "user.verification_requested", to: email, from: origin, at: now, purpose: .verify,
            if: { $0.isActive && !$0.isEmailVerified }, letter: Occasion.verification)
    }

    func throttleMail(
        to email: EmailAddress, from origin: Origin, at now: Timestamp
    ) async throws(Problem) {
        if let from = origin.address {
            try await throttle.take(.mailByAddress, from.throttleKey, at: now)
        }
        try await throttle.take(.mailByAccount, email.description, at: now)
    }

    func throttleGuesses(from origin: Origin, at now: Timestamp) throws(Problem) {
        if let from = origin.address {
            try throttle.takeHere(.tokenByAddress, from.throttleKey, at: now)
        }
    }
}

extension Origin {
    func event(
        _ action: String, by actor: AuditEvent.Actor, on target: String,
        meta: [JSON.Member] = []
    ) -> AuditEvent {
        AuditEvent(
            action: action, actor: actor, target: target, meta: .object(meta),
            requestID: requestID, address: address?.description)
    }
}
