import Crypto
import Domain
import Store

extension TOTP {
    static func mac(_ secret: [UInt8]) -> MAC {
        let key = SymmetricKey(data: secret)
        return { Array(HMAC<Insecure.SHA1>.authenticationCode(for: $0, using: key)) }
    }
}

/// One-time codes from an authenticator app, asked for beside the password (RFC 6238).
extension Appliance {
    /// What `POST /me/totp` shows; nothing is on yet.
    struct Enrolment: Sendable {
        let secret: String
        let uri: String
    }

    /// What a sign-in's code came to.
    enum SecondFactorCheck: Sendable {
        case passed
        /// One was used up; so many are left.
        case passedByRecoveryCode(left: Int64)
        case missing
        case wrong
    }

    private static let wrongCode = Problem(.invalidCredentials, "The code is wrong.")

    private static func hash(_ code: RecoveryCode) -> [UInt8] {
        // SHA-256 is enough: a code has too many bits to be guessed.
        Array(SHA256.hash(data: Array(code.digits.utf8)))
    }

    private static func context(_ user: UserID) -> String { "totp \(user)" }

    /// The name that an app shows the account under: the host that people know, or ours.
    private var totpIssuer: String {
        guard let url = configuration.server.publicURL, let scheme = url.firstRange(of: "://")
        else { return "Gatehouse" }
        let host = url[scheme.upperBound...].prefix { $0 != ":" }
        // An IPv6 host begins with a bracket and has colons, which a label cannot.
        return host.isEmpty || host.hasPrefix("[") ? "Gatehouse" : String(host)
    }

    // MARK: Turning it on and off

    func beginTOTP(
        of caller: Caller, from origin: Origin, at now: Timestamp,
        keep: @escaping @Sendable (Enrolment, any Connection) throws(Problem) -> Void
    ) async throws(Problem) -> Enrolment {
        let user = caller.userID
        var random = SystemRandomNumberGenerator()
        let secret = (0..<TOTP.secretBytes).map { _ in
            UInt8.random(in: .min ... .max, using: &random)
        }
        let factor = SecondFactor(
            userID: user, sealedSecret: try sealingKeys.seal(secret, context: Self.context(user)),
            createdAt: now)
        let issuer = totpIssuer
        return try await store.write { db throws(Problem) in
            guard let account = try db.accounts.find(user) else { throw Authenticator.refused }
            guard try db.secondFactors.begin(factor) else {
                throw Problem(.conflict, "One-time codes are on; turn them off first.")
            }
            try db.audit.append(
                origin.event("user.totp_begun", by: .user(user), on: "user:\(user)"), at: now)
            let enrolment = Enrolment(
                secret: Base32.encode(secret),
                uri: TOTP.uri(secret: secret, account: account.email, issuer: issuer))
            try keep(enrolment, db)
            return enrolment
        }
    }

    /// The first right code turns it on. Other sessions stay: their owner ends them with
    /// `DELETE /me/sessions`, and could turn it off again in one if a thief had turned it on.
    func confirmTOTP(
        _ code: String, of caller: Caller, from origin: Origin, at now: Timestamp,
        keep: @escaping @Sendable ([RecoveryCode], any Connection) throws(Problem) -> Void
    ) async throws(Problem) -> [RecoveryCode] {
        let user = caller.userID
        let pending = try await store.read { db throws(Problem) in
            try db.secondFactors.find(user)
        }
        guard let pending, pending.canBeConfirmed(at: now) else {
            throw Problem(
                .conflict,
                pending?.confirmedAt == nil
                    ? "Ask for a secret first: POST /api/v1/me/totp." : "One-time codes are on.")
        }
        try await throttle.take(Throttle.Guess.otp, "\(user) \(pending.createdAt)", at: now)
        let secret = try sealingKeys.open(pending.sealedSecret, context: Self.context(user))
        guard
            let step = TOTP.match(
                code, at: now, after: pending.lastStep, mac: TOTP.mac(secret))
        else { throw Self.wrongCode }
        var random = SystemRandomNumberGenerator()
        let codes = (0..<RecoveryCode.count).map { _ in RecoveryCode(using: &random) }
        let hashes = codes.map(Self.hash)
        try await store.write { db throws(Problem) in
            guard var account = try db.accounts.find(user),
                try db.secondFactors.find(user) == pending,
                try db.secondFactors.confirm(user, step: step, at: now)
            else { throw Problem(.conflict, "The secret was replaced meanwhile.") }
            account.hasTOTP = true
            account.updatedAt = now
            _ = try db.accounts.update(account)
            try db.secondFactors.setRecoveryCodes(hashes, of: user)
            try db.audit.append(
                origin.event("user.totp_enabled", by: .user(user), on: "user:\(user)"), at: now)
            try self.post(.secondFactorOn, to: account.email, db, at: now)
            try keep(codes, db)
        }
        authenticator.forget(account: user)
        return codes
    }

    /// Its owner turns it off, or somebody with a shell helps who has lost app and codes; an
    /// enrolment that was not confirmed goes too.
    func removeTOTP(
        of user: UserID, by actor: AuditEvent.Actor, from origin: Origin, at now: Timestamp
    ) async throws(Problem) -> AccountSnapshot {
        let snapshot = try await store.write { db throws(Problem) in
            guard var account = try db.accounts.find(user) else { throw Problem.notFound("user") }
            guard try db.secondFactors.remove(user) else {
                throw Problem.notFound("second factor: one-time codes are off")
            }
            let wasOn = account.hasTOTP
            account.hasTOTP = false
            account.updatedAt = now
            _ = try db.accounts.update(account)
            try db.audit.append(
                origin.event("user.totp_disabled", by: actor, on: "user:\(user)"), at: now)
            if wasOn { try self.post(.secondFactorOff, to: account.email, db, at: now) }
            let plan = try db.subscriptions.active(of: user)?.planSlug
            return AccountSnapshot(account, plan: plan)
        }
        authenticator.forget(account: user)
        return snapshot
    }

    // MARK: Signing in

    /// In the transaction that signs in: a code that opens one session opens no other.
    func checkSecondFactor(
        _ otp: Secret?, of account: Account, _ db: any Connection, from origin: Origin,
        at now: Timestamp
    ) throws(Problem) -> SecondFactorCheck {
        guard account.hasTOTP else { return .passed }
        guard let otp else { return .missing }
        let user = account.id
        switch OneTimeCode(typed: otp.text) {
        case .totp(let code):
            guard let factor = try db.secondFactors.find(user) else {
                throw .internal(cause: "user \(user) has one-time codes on and no secret")
            }
            let secret = try sealingKeys.open(factor.sealedSecret, context: Self.context(user))
            let step = TOTP.match(
                code, at: now, after: factor.lastStep, mac: TOTP.mac(secret))
            guard let step, try db.secondFactors.accept(step, of: user) else { return .wrong }
            return .passed
        case .recovery(let code):
            guard try db.secondFactors.redeem(Self.hash(code), of: user) else { return .wrong }
            let left = try db.secondFactors.countRecoveryCodes(of: user)
            try db.audit.append(
                origin.event(
                    "user.recovery_code_used", by: .user(user), on: "user:\(user)",
                    meta: [JSON.Member("left", .integer(left))]),
                at: now)
            return .passedByRecoveryCode(left: left)
        case nil: return .wrong
        }
    }

    /// Without the right key, nobody with one-time codes signs in: that must not go unseen.
    func checkSealingKey() async throws(Problem) {
        let opens = try await store.read { db throws(Problem) in try self.opensSecondFactors(db) }
        guard !opens else { return }
        logger.error(
            "sealing-keys.json does not open the store's secrets: one-time codes are refused",
            metadata: ["remedy": "put it back, or run: gatehouse user reset-totp USER"])
    }

    /// Whether the store's secrets were sealed with our key, as far as one of them tells.
    func opensSecondFactors(_ db: any Connection) throws(Problem) -> Bool {
        guard let factor = try db.secondFactors.findAny() else { return true }
        return sealingKeys.opens(
            factor.sealedSecret, context: Self.context(factor.userID))
    }
}
