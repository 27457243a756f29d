import Domain

extension Connection {
    package var rateStates: RateStates { RateStates(db: self) }
}

/// The `rate_states` table: checkpoints of rates, so that a restart hands out no fresh burst; and
/// runs of wrong guesses, whose count stands where the backlog does.
package struct RateStates {
    let db: any Connection

    /// The subject of runs of guesses. It stands in the statements as a word: an index of a part of
    /// the table serves only those that name the part.
    package static let runs = "guesses"

    /// Whose rate it is: `user:<id>`, `key:<id>`, `throttle` for those of sign-in, or `runs`.
    package struct Entry: Sendable, Equatable {
        package let subject: String
        package let name: String
        package let rate: RateLimiter

        package init(subject: String, name: String, rate: RateLimiter) {
            self.subject = subject
            self.name = name
            self.rate = rate
        }
    }

    /// Of several nodes that save the same rate, the newest state of it stays.
    package func save(_ entries: [Entry]) throws(Problem) {
        for entry in entries {
            try db.execute(
                """
                INSERT INTO rate_states (subject, name, backlog, updated_at)
                VALUES (\(entry.subject), \(entry.name), \(String(entry.rate.backlog)),
                    \(entry.rate.updatedAt))
                ON CONFLICT (subject, name) DO UPDATE
                    SET backlog = excluded.backlog, updated_at = excluded.updated_at
                    WHERE rate_states.updated_at <= excluded.updated_at
                """)
        }
    }

    package func load(_ subject: String) throws(Problem) -> [Entry] {
        try db.rows(
            """
            SELECT name, backlog, updated_at FROM rate_states WHERE subject = \(subject)
            ORDER BY name
            """
        ) { row throws(Problem) in
            let name = try row.text()
            let backlog = try row.parsed { Int128($0) }
            return Entry(
                subject: subject, name: name,
                rate: RateLimiter(backlog: backlog, updatedAt: try row.timestamp()))
        }
    }

    package func find(_ subject: String, _ name: String) throws(Problem) -> RateLimiter? {
        try db.first(
            """
            SELECT backlog, updated_at FROM rate_states
            WHERE subject = \(subject) AND name = \(name)
            """
        ) { row throws(Problem) in
            let backlog = try row.parsed { Int128($0) }
            return RateLimiter(backlog: backlog, updatedAt: try row.timestamp())
        }
    }

    /// Rates, and runs that were forgiven. Those that were not have no age.
    package func prune(updatedBefore moment: Timestamp, atMost most: Int) throws(Problem) -> Int {
        try db.execute(
            """
            DELETE FROM rate_states WHERE (subject, name) IN
                (SELECT subject, name FROM rate_states
                 WHERE updated_at < \(moment) AND (subject <> 'guesses' OR backlog = '0')
                 ORDER BY updated_at LIMIT \(most))
            """)
    }

    /// Keeps that many runs: the longest, and of equal ones the newest.
    package func pruneRuns(keeping kept: Int, atMost most: Int) throws(Problem) -> Int {
        try db.execute(
            """
            DELETE FROM rate_states WHERE subject = 'guesses' AND name IN
                (SELECT name FROM rate_states WHERE subject = 'guesses' AND backlog <> '0'
                 ORDER BY length(backlog) DESC, backlog DESC, updated_at DESC, name DESC
                 LIMIT \(most) OFFSET \(kept))
            """)
    }
}
