import Crypto
import Domain
import Store

/// What a sign-in or a refresh hands out.
struct TokenPair: Sendable {
    let accessToken: String
    let accessExpiresIn: Duration
    let refreshToken: Secret
    let refreshExpiresIn: Duration
    let snapshot: AccountSnapshot
}

/// A refresh token or a link's token: 256 random bits in 43 base62 digits; the store sees the hash.
struct OpaqueToken: Sendable {
    let secret: Secret
    let hash: [UInt8]

    static let refreshPrefix = "ghr_"

    init(prefix: String = "") {
        var random = SystemRandomNumberGenerator()
        let text = prefix + Base62.random(43, using: &random)
        secret = Secret(text)
        hash = Self.hash(of: Secret(text))
    }

    /// SHA-256 is enough: the token has too many bits to be guessed.
    static func hash(of token: Secret) -> [UInt8] {
        Array(SHA256.hash(data: Array(token.text.utf8)))
    }
}

extension Appliance {
    /// A session's first or next refresh token, written in the caller's transaction.
    func insertRefreshToken(
        for session: Session, _ db: any Connection, from origin: Origin, at now: Timestamp
    ) throws(Problem) -> (token: OpaqueToken, expiresAt: Timestamp) {
        let token = OpaqueToken(prefix: OpaqueToken.refreshPrefix)
        let expiresAt = min(now + configuration.auth.refreshTokenTTL, session.expiresAt)
        try db.sessions.insert(
            RefreshToken(
                hash: token.hash, sessionID: session.id, userID: session.userID,
                generation: session.generation, issuedAt: now, expiresAt: expiresAt),
            userAgent: origin.userAgent, address: origin.address?.description)
        return (token, expiresAt)
    }

    func tokenPair(
        _ snapshot: AccountSnapshot, session: Session,
        refresh: (token: OpaqueToken, expiresAt: Timestamp), at now: Timestamp
    ) throws(Problem) -> TokenPair {
        var shown = snapshot.account
        // Who verifies tokens offline must not take somebody for an admin whom we hold back; the
        // token after the next refresh says what they are.
        if authenticator.isHeldBack(shown) { shown.role = .user }
        return TokenPair(
            accessToken: try tokens.issue(
                account: shown, session: session.id, generation: session.generation,
                at: now),
            accessExpiresIn: configuration.auth.accessTokenTTL,
            refreshToken: refresh.token.secret, refreshExpiresIn: refresh.expiresAt - now,
            snapshot: snapshot)
    }

    /// A new session of an account, written in the caller's transaction.
    func insertSession(
        of account: Account, _ db: any Connection, from origin: Origin, at now: Timestamp
    ) throws(Problem) -> TokenPair {
        var random = SystemRandomNumberGenerator()
        let session = Session(
            id: ID(at: now, using: &random), userID: account.id, createdAt: now, lastUsedAt: now,
            expiresAt: now + configuration.auth.sessionTTL, userAgent: origin.userAgent,
            address: origin.address?.description)
        try db.sessions.insert(session)
        let refresh = try insertRefreshToken(for: session, db, from: origin, at: now)
        let plan = try db.subscriptions.active(of: account.id)?.planSlug
        return try tokenPair(
            AccountSnapshot(account, plan: plan), session: session, refresh: refresh, at: now)
    }
}
