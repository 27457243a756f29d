import Domain

extension Connection {
    package var secondFactors: SecondFactors { SecondFactors(db: self) }
}

/// The `second_factors` and `recovery_codes` tables.
package struct SecondFactors {
    let db: any Connection

    private static func decode(_ row: inout Row) throws(Problem) -> SecondFactor {
        SecondFactor(
            userID: try row.id(), sealedSecret: try row.bytes(), lastStep: try row.integer(),
            confirmedAt: try row.optionalTimestamp(), createdAt: try row.timestamp())
    }

    /// Takes the place of one that is not confirmed; false when one is.
    package func begin(_ factor: SecondFactor) throws(Problem) -> Bool {
        try db.execute(
            """
            INSERT INTO second_factors (user_id, sealed_secret, last_step, confirmed_at,
                created_at)
            VALUES (\(factor.userID), \(factor.sealedSecret), \(factor.lastStep),
                \(factor.confirmedAt), \(factor.createdAt))
            ON CONFLICT (user_id) DO UPDATE SET sealed_secret = excluded.sealed_secret,
                last_step = excluded.last_step, created_at = excluded.created_at
            WHERE second_factors.confirmed_at IS NULL
            """) == 1
    }

    private static let columns: StaticString =
        "user_id, sealed_secret, last_step, confirmed_at, created_at"

    package func find(_ user: UserID) throws(Problem) -> SecondFactor? {
        try db.first(
            "SELECT \(raw: Self.columns) FROM second_factors WHERE user_id = \(user)"
        ) { row throws(Problem) in try Self.decode(&row) }
    }

    /// Any one, to see whether the key that opens them is there.
    package func findAny() throws(Problem) -> SecondFactor? {
        try db.first(
            """
            SELECT \(raw: Self.columns) FROM second_factors WHERE user_id > ''
            ORDER BY user_id LIMIT 1
            """
        ) { row throws(Problem) in try Self.decode(&row) }
    }

    /// False when it was confirmed before.
    package func confirm(
        _ user: UserID, step: Int64, at now: Timestamp
    ) throws(Problem) -> Bool {
        try db.execute(
            """
            UPDATE second_factors SET confirmed_at = \(now), last_step = \(step)
            WHERE user_id = \(user) AND confirmed_at IS NULL
            """) == 1
    }

    /// False when a code of this step or a later one was accepted before.
    package func accept(_ step: Int64, of user: UserID) throws(Problem) -> Bool {
        try db.execute(
            """
            UPDATE second_factors SET last_step = \(step)
            WHERE user_id = \(user) AND confirmed_at IS NOT NULL AND last_step < \(step)
            """) == 1
    }

    /// With its recovery codes; false when there was none.
    package func remove(_ user: UserID) throws(Problem) -> Bool {
        try db.execute("DELETE FROM recovery_codes WHERE user_id = \(user)")
        return try db.execute("DELETE FROM second_factors WHERE user_id = \(user)") == 1
    }

    // MARK: Recovery codes

    /// Takes the place of those there were.
    package func setRecoveryCodes(_ hashes: [[UInt8]], of user: UserID) throws(Problem) {
        try db.execute("DELETE FROM recovery_codes WHERE user_id = \(user)")
        try db.execute(
            "INSERT INTO recovery_codes (user_id, code_hash) VALUES ($1, $2)",
            each: hashes.map { [.text(user.description), .bytes($0)] })
    }

    /// Takes the code out, so that a second use finds none; false when there was none.
    package func redeem(_ hash: [UInt8], of user: UserID) throws(Problem) -> Bool {
        try db.execute(
            "DELETE FROM recovery_codes WHERE user_id = \(user) AND code_hash = \(hash)") == 1
    }

    package func countRecoveryCodes(of user: UserID) throws(Problem) -> Int64 {
        try db.count("SELECT count(*) FROM recovery_codes WHERE user_id = \(user)")
    }
}
