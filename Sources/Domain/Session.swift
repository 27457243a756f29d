package typealias SessionID = ID<Session>

/// One sign-in on one device: a chain of refresh tokens, counted in generations.
///
/// The rule (contract.md, Authentication) has two aims at once: a client whose answer was lost must
/// not be signed out, and a stolen token must not go unseen. A token of the newest generation
/// starts the next one. A token of the generation before may be used again until the newest has
/// reached somebody (one of its tokens was presented), and for a short grace after. Everything
/// older is proof that two parties hold the chain, and ends the session.
package struct Session: Equatable, Sendable {
    package let id: SessionID
    package let userID: UserID
    package let createdAt: Timestamp
    package var lastUsedAt: Timestamp
    /// The absolute end, however often it is refreshed.
    package let expiresAt: Timestamp
    package let userAgent: String?
    package let address: String?
    /// The newest generation; the first is 1.
    package var generation: Int64
    /// When a token of the newest generation was first presented.
    package var deliveredAt: Timestamp?
    package var revokedAt: Timestamp?

    package init(
        id: SessionID, userID: UserID, createdAt: Timestamp, lastUsedAt: Timestamp,
        expiresAt: Timestamp, userAgent: String?, address: String?, generation: Int64 = 1,
        deliveredAt: Timestamp? = nil, revokedAt: Timestamp? = nil
    ) {
        self.id = id
        self.userID = userID
        self.createdAt = createdAt
        self.lastUsedAt = lastUsedAt
        self.expiresAt = expiresAt
        self.userAgent = userAgent
        self.address = address
        self.generation = generation
        self.deliveredAt = deliveredAt
        self.revokedAt = revokedAt
    }

    package func isLive(at now: Timestamp) -> Bool { revokedAt == nil && now < expiresAt }
}

/// A refresh token as the store knows it: by the hash of its secret alone.
package struct RefreshToken: Equatable, Sendable {
    package let hash: [UInt8]
    package let sessionID: SessionID
    package let userID: UserID
    package let generation: Int64
    package let issuedAt: Timestamp
    package let expiresAt: Timestamp
    /// A newer token of the same generation took its place before it was ever presented.
    package var isOrphaned: Bool

    package init(
        hash: [UInt8], sessionID: SessionID, userID: UserID, generation: Int64,
        issuedAt: Timestamp, expiresAt: Timestamp, isOrphaned: Bool = false
    ) {
        self.hash = hash
        self.sessionID = sessionID
        self.userID = userID
        self.generation = generation
        self.issuedAt = issuedAt
        self.expiresAt = expiresAt
        self.isOrphaned = isOrphaned
    }
}

extension Session {
    /// What presenting a refresh token leads to.
    package enum Rotation: Equatable, Sendable {
        /// A new generation begins.
        case advance
        /// Another token of the newest generation; those issued before this moment are orphaned.
        case reissue(orphaningIssuedBefore: Timestamp)
        /// Two parties hold this chain: the session ends.
        case reuse
        /// The token or its session has ended in the ordinary way.
        case ended
    }

    /// Pure: the caller carries the result out in the transaction that read both values.
    package func rotation(
        presenting token: RefreshToken, at now: Timestamp, grace: Duration
    ) -> Rotation {
        guard isLive(at: now) else { return .ended }
        guard !token.isOrphaned else { return .reuse }
        if token.generation == generation {
            return now < token.expiresAt ? .advance : .ended
        }
        guard token.generation == generation - 1 else { return .reuse }
        if let deliveredAt, now - deliveredAt >= grace { return .reuse }
        return now < token.expiresAt ? .reissue(orphaningIssuedBefore: now - grace) : .ended
    }
}
