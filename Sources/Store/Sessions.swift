import Domain

extension Connection {
    package var sessions: Sessions { Sessions(db: self) }
}

/// The `sessions` and `refresh_tokens` tables.
package struct Sessions {
    let db: any Connection

    private static let columns: StaticString = """
        s.id, s.user_id, s.created_at, s.last_used_at, s.expires_at, s.user_agent, s.ip, \
        s.generation, s.delivered_at, s.revoked_at
        """

    private static func decode(_ row: inout Row) throws(Problem) -> Session {
        Session(
            id: try row.id(), userID: try row.id(), createdAt: try row.timestamp(),
            lastUsedAt: try row.timestamp(), expiresAt: try row.timestamp(),
            userAgent: try row.optionalText(), address: try row.optionalText(),
            generation: try row.integer(), deliveredAt: try row.optionalTimestamp(),
            revokedAt: try row.optionalTimestamp())
    }

    package func insert(_ session: Session) throws(Problem) {
        try db.execute(
            """
            INSERT INTO sessions (id, user_id, generation, delivered_at, user_agent, ip,
                created_at, last_used_at, expires_at, revoked_at)
            VALUES (\(session.id), \(session.userID), \(session.generation),
                \(session.deliveredAt), \(session.userAgent), \(session.address),
                \(session.createdAt), \(session.lastUsedAt), \(session.expiresAt),
                \(session.revokedAt))
            """)
    }

    package func insert(
        _ token: RefreshToken, userAgent: String?, address: String?
    ) throws(Problem) {
        try db.execute(
            """
            INSERT INTO refresh_tokens (token_hash, session_id, user_id, generation, issued_at,
                expires_at, revoked, user_agent, ip)
            VALUES (\(token.hash), \(token.sessionID), \(token.userID), \(token.generation),
                \(token.issuedAt), \(token.expiresAt), \(token.isOrphaned), \(userAgent),
                \(address))
            """)
    }

    package func find(_ id: SessionID) throws(Problem) -> Session? {
        try db.first("SELECT \(raw: Self.columns) FROM sessions s WHERE s.id = \(id)") {
            row throws(Problem) in try Self.decode(&row)
        }
    }

    package struct Presented: Sendable {
        package let session: Session
        package let token: RefreshToken
    }

    package func find(tokenHash hash: [UInt8]) throws(Problem) -> Presented? {
        try db.first(
            """
            SELECT \(raw: Self.columns), t.generation, t.issued_at, t.expires_at, t.revoked
            FROM refresh_tokens t JOIN sessions s ON s.id = t.session_id
            WHERE t.token_hash = \(hash)
            """
        ) { row throws(Problem) in
            let session = try Self.decode(&row)
            let token = RefreshToken(
                hash: hash, sessionID: session.id, userID: session.userID,
                generation: try row.integer(), issuedAt: try row.timestamp(),
                expiresAt: try row.timestamp(), isOrphaned: try row.bool())
            return Presented(session: session, token: token)
        }
    }

    /// Writes what rotation changes.
    package func update(_ session: Session) throws(Problem) {
        try db.execute(
            """
            UPDATE sessions SET generation = \(session.generation),
                delivered_at = \(session.deliveredAt), last_used_at = \(session.lastUsedAt),
                revoked_at = \(session.revokedAt)
            WHERE id = \(session.id)
            """)
    }

    package func orphan(
        _ id: SessionID, generation: Int64, issuedBefore moment: Timestamp
    ) throws(Problem) {
        try db.execute(
            """
            UPDATE refresh_tokens SET revoked = 1
            WHERE session_id = \(id) AND generation = \(generation) AND issued_at < \(moment)
            """)
    }

    /// An access token of this generation was presented; no effect once a newer one exists.
    package func markDelivered(
        _ id: SessionID, generation: Int64, at now: Timestamp
    ) throws(Problem) {
        try db.execute(
            """
            UPDATE sessions SET delivered_at = \(now)
            WHERE id = \(id) AND generation = \(generation) AND delivered_at IS NULL
            """)
    }

    package func touch(_ id: SessionID, at now: Timestamp) throws(Problem) {
        try db.execute(
            "UPDATE sessions SET last_used_at = \(now) WHERE id = \(id) AND last_used_at < \(now)")
    }

    /// False when it was not live.
    package func revoke(_ id: SessionID, at now: Timestamp) throws(Problem) -> Bool {
        try db.execute(
            "UPDATE sessions SET revoked_at = \(now) WHERE id = \(id) AND revoked_at IS NULL") == 1
    }

    /// The sessions that were ended.
    package func revokeAll(
        of user: UserID, except kept: SessionID? = nil, at now: Timestamp
    ) throws(Problem) -> [SessionID] {
        try db.rows(
            """
            UPDATE sessions SET revoked_at = \(now)
            WHERE user_id = \(user) AND revoked_at IS NULL AND id <> \(kept?.description ?? "")
            RETURNING id
            """
        ) { row throws(Problem) in try row.id() }
    }

    package func live(of user: UserID, at now: Timestamp) throws(Problem) -> [Session] {
        try db.rows(
            """
            SELECT \(raw: Self.columns) FROM sessions s
            WHERE s.user_id = \(user) AND s.revoked_at IS NULL AND s.expires_at > \(now)
            ORDER BY s.id DESC LIMIT \(Self.perAccountShown)
            """
        ) { row throws(Problem) in try Self.decode(&row) }
    }

    private static let perAccountShown = 200

    /// Whether this account signed in from there before: such an address is throttled apart from
    /// strangers' (security L2).
    package func isKnown(_ address: String, to user: UserID) throws(Problem) -> Bool {
        try db.count(
            """
            SELECT count(*) FROM
                (SELECT 1 FROM sessions WHERE user_id = \(user) AND ip = \(address) LIMIT 1) known
            """) > 0
    }

    /// Where an account signed in from since a moment, the newest first; one for each sign-in.
    package func places(
        of user: UserID, since moment: Timestamp, atMost most: Int
    ) throws(Problem) -> [Device.Place] {
        // Ids begin with the time that they were made at.
        let first = SessionID(high: UInt64(max(0, moment.milliseconds)) << 16, low: 0)
        return try db.rows(
            """
            SELECT user_agent, ip FROM sessions WHERE user_id = \(user) AND id >= \(first)
            ORDER BY id DESC LIMIT \(most)
            """
        ) { row throws(Problem) in
            Device.Place(userAgent: try row.optionalText(), address: try row.optionalText())
        }
    }

    /// Removes what ended before `moment`, at most `most` of each; returns how many rows went.
    package func prune(endedBefore moment: Timestamp, atMost most: Int) throws(Problem) -> Int {
        let tokens = try db.execute(
            """
            DELETE FROM refresh_tokens WHERE token_hash IN
                (SELECT token_hash FROM refresh_tokens WHERE expires_at < \(moment)
                 ORDER BY expires_at LIMIT \(most))
            """)
        let sessions = try db.execute(
            """
            DELETE FROM sessions WHERE id IN
                (SELECT id FROM sessions WHERE expires_at < \(moment)
                 ORDER BY expires_at LIMIT \(most))
            """)
        return tokens + sessions
    }
}
