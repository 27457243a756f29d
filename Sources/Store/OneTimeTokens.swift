import Domain

extension Connection {
    package var oneTimeTokens: OneTimeTokens { OneTimeTokens(db: self) }
}

/// The `one_time_tokens` table: what links in mails and the setup link carry, by hash alone.
package struct OneTimeTokens {
    let db: any Connection

    package enum Purpose: String, Sendable { case setup, verify, reset }

    /// Replaces earlier tokens of the same purpose, so that only the newest link works, unless
    /// they are to stay.
    package func insert(
        hash: [UInt8], purpose: Purpose, user: UserID?, email: EmailAddress?, at now: Timestamp,
        expiresAt: Timestamp, replaces: Bool = true
    ) throws(Problem) {
        if replaces { try revoke(purpose, of: user) }
        try db.execute(
            """
            INSERT INTO one_time_tokens (token_hash, purpose, user_id, email, created_at,
                expires_at)
            VALUES (\(hash), \(purpose.rawValue), \(user), \(email?.description), \(now),
                \(expiresAt))
            """)
    }

    /// Whom a live token belongs to.
    package struct Live: Equatable, Sendable {
        package let user: UserID?
        package let email: EmailAddress?
    }

    /// Looks at a token and leaves it. Nil when there is no such live token.
    package func find(
        _ hash: [UInt8], purpose: Purpose, at now: Timestamp
    ) throws(Problem) -> Live? {
        try db.first(
            """
            SELECT user_id, email FROM one_time_tokens
            WHERE token_hash = \(hash) AND purpose = \(purpose.rawValue) AND expires_at > \(now)
            """
        ) { row throws(Problem) in try Self.decode(&row) }
    }

    /// Takes the token out, so that a second use finds none. Nil when there is no such live token.
    package func redeem(
        _ hash: [UInt8], purpose: Purpose, at now: Timestamp
    ) throws(Problem) -> Live? {
        try db.first(
            """
            DELETE FROM one_time_tokens
            WHERE token_hash = \(hash) AND purpose = \(purpose.rawValue) AND expires_at > \(now)
            RETURNING user_id, email
            """
        ) { row throws(Problem) in try Self.decode(&row) }
    }

    private static func decode(_ row: inout Row) throws(Problem) -> Live {
        let user = try row.optionalText().flatMap { UserID($0) }
        let email = try row.optionalText().map { EmailAddress(canonical: $0) }
        return Live(user: user, email: email)
    }

    /// Moves the end of a token on, never back: the mail with it goes out now. False when it was
    /// used, replaced or revoked meanwhile.
    package func renew(_ hash: [UInt8], until end: Timestamp) throws(Problem) -> Bool {
        try db.execute(
            """
            UPDATE one_time_tokens
            SET expires_at = CASE WHEN expires_at < \(end) THEN \(end) ELSE expires_at END
            WHERE token_hash = \(hash)
            """) == 1
    }

    /// Whether a token of this purpose that belongs to nobody is live.
    package func hasLive(_ purpose: Purpose, at now: Timestamp) throws(Problem) -> Bool {
        try db.count(
            """
            SELECT count(*) FROM one_time_tokens
            WHERE user_id IS NULL AND purpose = \(purpose.rawValue) AND expires_at > \(now)
            """) > 0
    }

    /// Every link of this account dies: its password or address has changed (security T10).
    package func revokeAll(of user: UserID) throws(Problem) {
        try db.execute("DELETE FROM one_time_tokens WHERE user_id = \(user)")
    }

    package func revoke(_ purpose: Purpose, of user: UserID?) throws(Problem) {
        if let user {
            try db.execute(
                """
                DELETE FROM one_time_tokens
                WHERE user_id = \(user) AND purpose = \(purpose.rawValue)
                """)
        } else {
            try db.execute(
                """
                DELETE FROM one_time_tokens
                WHERE user_id IS NULL AND purpose = \(purpose.rawValue)
                """)
        }
    }

    package func prune(endedBefore moment: Timestamp, atMost most: Int) throws(Problem) -> Int {
        try db.execute(
            """
            DELETE FROM one_time_tokens WHERE token_hash IN
                (SELECT token_hash FROM one_time_tokens WHERE expires_at < \(moment)
                 ORDER BY expires_at LIMIT \(most))
            """)
    }
}
