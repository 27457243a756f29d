import Domain

extension Connection {
    package var usage: UsageCounters { UsageCounters(db: self) }
}

/// The `usage_counters` table. Values are absolute: the one process that owns the store counts in
/// memory and writes what each counter stands at, so writing one twice changes nothing.
package struct UsageCounters {
    let db: any Connection

    package struct Entry: Sendable, Equatable {
        package let user: UserID
        /// Nil: the whole account.
        package let key: APIKeyID?
        package let tally: Tally.Entry

        package init(user: UserID, key: APIKeyID?, tally: Tally.Entry) {
            self.user = user
            self.key = key
            self.tally = tally
        }
    }

    /// An account that was deleted meanwhile is passed over: its counts went with it.
    package func save(_ entries: [Entry]) throws(Problem) {
        for entry in entries {
            let tally = entry.tally
            try db.execute(
                """
                INSERT INTO usage_counters (user_id, key_id, metric, granularity, period, value)
                SELECT id, \(entry.key?.description ?? ""), \(tally.metric),
                    \(tally.window.rawValue), \(tally.window.period(tally.index)), \(tally.value)
                FROM users WHERE id = \(entry.user)
                ON CONFLICT (user_id, key_id, metric, granularity, period)
                    DO UPDATE SET value = excluded.value
                """)
        }
    }

    /// The counters of the windows that hold `now`.
    package func current(of user: UserID, at now: Timestamp) throws(Problem) -> [Entry] {
        func period(_ window: Window) -> String { window.period(window.index(of: now)) }
        return try db.rows(
            """
            SELECT key_id, metric, granularity, period, value FROM usage_counters
            WHERE user_id = \(user) AND (
                (granularity = 'hour' AND period = \(period(.hour)))
                OR (granularity = 'day' AND period = \(period(.day)))
                OR (granularity = 'month' AND period = \(period(.month))))
            ORDER BY key_id, metric, granularity
            """
        ) { row throws(Problem) in
            let key = try row.text()
            let metric = try row.text()
            let window = try row.parsed(Window.init)
            let index = try row.parsed { window.index(period: $0) }
            return Entry(
                user: user, key: APIKeyID(key),
                tally: Tally.Entry(
                    metric: metric, window: window, index: index, value: try row.integer()))
        }
    }

    package struct Point: Sendable, Equatable {
        package let period: String
        package let value: Int64
    }

    /// The account's use of one metric, the oldest period first, both ends included.
    package func history(
        of user: UserID, metric: String, window: Window, from: String, to: String
    ) throws(Problem) -> [Point] {
        try db.rows(
            """
            SELECT period, value FROM usage_counters
            WHERE user_id = \(user) AND key_id = '' AND metric = \(metric)
                AND granularity = \(window.rawValue) AND period BETWEEN \(from) AND \(to)
            ORDER BY period
            """
        ) { row throws(Problem) in Point(period: try row.text(), value: try row.integer()) }
    }

    package struct Consumer: Sendable, Equatable {
        package let user: UserID
        package let email: String
        package let metric: String
        package let value: Int64
    }

    /// Who used most of a metric in a period.
    package func top(
        metric: String, window: Window, period: String, limit: Int
    ) throws(Problem) -> [Consumer] {
        try db.rows(
            """
            SELECT u.id, u.email, c.metric, c.value FROM usage_counters c
            JOIN users u ON u.id = c.user_id
            WHERE c.granularity = \(window.rawValue) AND c.period = \(period)
                AND c.metric = \(metric) AND c.key_id = ''
            ORDER BY c.value DESC, c.user_id LIMIT \(limit)
            """
        ) { row throws(Problem) in
            Consumer(
                user: try row.id(), email: try row.text(), metric: try row.text(),
                value: try row.integer())
        }
    }

    package func total(
        metric: String, window: Window, period: String
    ) throws(Problem) -> Int64 {
        try db.count(
            """
            SELECT coalesce(sum(value), 0) FROM usage_counters
            WHERE granularity = \(window.rawValue) AND period = \(period)
                AND metric = \(metric) AND key_id = ''
            """)
    }
}
