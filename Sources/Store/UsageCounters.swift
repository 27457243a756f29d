import Domain

extension Connection {
    package var usage: UsageCounters { UsageCounters(db: self) }
}

/// The `usage_counters` table. What was counted is added to it in numbered batches, each with its
/// number in one transaction, so that a batch is in it once or not at all (`CounterFile`).
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

    /// The name in `installation`. Each node has a counter file, and so numbers, of its own.
    private static func markName(_ node: NodeName?) -> String {
        "usage_batch" + (node.map { ":\($0)" } ?? "")
    }

    /// Adds a batch, or the next part of one, and records that it is in. False, and nothing done,
    /// when the store has it already: an outcome that nobody heard of may be asked for again.
    ///
    /// For a write transaction.
    ///
    /// - Parameters:
    ///   - through: the last customer of this part, where others follow; nil for the whole batch or
    ///     its last part. Parts come in the order of the customers' ids.
    ///   - node: whose batch it is; nil for a process that has the store for itself.
    package func fold(
        _ deltas: [UsageDelta], batch: UInt64, through: UserID? = nil, node: NodeName? = nil
    ) throws(Problem) -> Bool {
        let mark = try foldMark(node: node)
        guard mark.batch < batch else { return false }
        guard let through else {
            try add(deltas)
            try record(FoldMark(batch: batch), node)
            return true
        }
        guard mark.batch + 1 == batch else {
            throw .internal(cause: "a part of batch \(batch) after batch \(mark.batch)")
        }
        guard !mark.has(through, of: batch) else { return false }
        try add(deltas)
        try record(FoldMark(batch: mark.batch, through: through), node)
        return true
    }

    /// How far the batches are folded. A node that has folded none yet goes on from where the
    /// process that had the store for itself was: its counter file may be that one's. So its first
    /// start folds a batch, be it an empty one.
    package func foldMark(node: NodeName? = nil) throws(Problem) -> FoldMark {
        let name = Self.markName(node)
        guard let text = try db.installation.value(name) else {
            return node == nil ? FoldMark(batch: 0) : try foldMark()
        }
        guard let mark = FoldMark(text) else {
            throw .internal(cause: "installation.\(name) cannot be read")
        }
        return mark
    }

    private func record(_ mark: FoldMark, _ node: NodeName?) throws(Problem) {
        try db.installation.set(Self.markName(node), mark.description)
    }

    /// Adds to the counters of the hours, and of their days and months. Whoever calls this makes
    /// sure that it happens once, by what the same transaction writes.
    ///
    /// An account that was deleted meanwhile is passed over: its counts went with it. A counter
    /// stays between 0 and 2^53, the largest integer that is ever sent.
    package func add(_ deltas: [UsageDelta]) throws(Problem) {
        var periods: (hour: Int64, texts: [SQL.Value])?
        var rows: [[SQL.Value]] = []
        rows.reserveCapacity(deltas.count)
        for delta in deltas {
            let key = delta.key
            // Nearly all deltas of a fold are of one hour.
            if periods?.hour != key.hour { periods = (key.hour, Self.periods(of: key.hour)) }
            // Within these bounds no sum leaves 64 bits; a fold that fails would fail for ever.
            let value = min(max(delta.value, -JSON.integerMax), JSON.integerMax)
            rows.append(
                [
                    .text(key.key?.description ?? ""), .text(key.metric), .integer(max(0, value)),
                ] + (periods?.texts ?? []) + [
                    .text(key.user.description), .integer(value), .integer(JSON.integerMax),
                ])
        }
        try db.execute(Self.addition, each: rows)
    }

    /// The hour, and the day and the month that hold it.
    private static func periods(of hour: Int64) -> [SQL.Value] {
        let start = Window.hour.start(of: hour)
        return [Window.hour, .day, .month].map { .text($0.period($0.index(of: start))) }
    }

    /// All three windows of a delta in one statement: this runs for each customer who was active in
    /// the last second.
    private static let addition: SQL = """
        INSERT INTO usage_counters (user_id, key_id, metric, granularity, period, value)
        SELECT u.id, $1, $2, w.column1, w.column2, $3
        FROM users u, (VALUES ('hour', $4), ('day', $5), ('month', $6)) w
        WHERE u.id = $7
        ON CONFLICT (user_id, key_id, metric, granularity, period) DO UPDATE
            SET value = CASE
                WHEN usage_counters.value + $8 < 0 THEN 0
                WHEN usage_counters.value + $8 > $9 THEN $9
                ELSE usage_counters.value + $8 END
        """

    /// The counters of the windows that hold `now`, but for those of keys that were revoked: they
    /// bound nothing any more.
    package func current(of user: UserID, at now: Timestamp) throws(Problem) -> [Entry] {
        func period(_ window: Window) -> String { window.period(window.index(of: now)) }
        return try db.rows(
            """
            SELECT key_id, metric, granularity, period, value FROM usage_counters
            WHERE user_id = \(user) AND (
                (granularity = 'hour' AND period = \(period(.hour)))
                OR (granularity = 'day' AND period = \(period(.day)))
                OR (granularity = 'month' AND period = \(period(.month))))
                AND NOT EXISTS (
                    SELECT 1 FROM api_keys k WHERE k.id = usage_counters.key_id
                        AND k.revoked_at <= \(now - APIKey.forgottenAfter))
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
    ///
    /// For one read, which is one snapshot: it says which of the unfolded counts it has.
    ///
    /// - Parameters:
    ///   - unfolded: what memory has of this user, read before the store is.
    ///   - node: whose batches they are of; nil for a process that has the store for itself.
    package func history(
        of user: UserID, metric: String, window: Window, from: String, to: String,
        unfolded: [UnfoldedUse] = [], node: NodeName? = nil
    ) throws(Problem) -> [Point] {
        let stored = try history(of: user, metric: metric, window: window, from: from, to: to)
        guard !unfolded.isEmpty else { return stored }
        let mark = try foldMark(node: node)
        var values = Dictionary(uniqueKeysWithValues: stored.map { ($0.period, $0.value) })
        for use in unfolded where !mark.has(user, of: use.batch) {
            let key = use.delta.key
            let period = window.period(window.index(of: Window.hour.start(of: key.hour)))
            guard key.user == user, key.key == nil, key.metric == metric,
                (from...to).contains(period)
            else { continue }
            // Within these bounds, as in `add`, no sum leaves 64 bits.
            let value = min(max(use.delta.value, -JSON.integerMax), JSON.integerMax)
            values[period] = min(max(0, (values[period] ?? 0) + value), JSON.integerMax)
        }
        return values.map { Point(period: $0, value: $1) }.sorted { $0.period < $1.period }
    }

    private func history(
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

    /// Who used most of a metric in a period, from behind the consumer with that value and id.
    package func top(
        metric: String, window: Window, period: String,
        after last: (value: Int64, user: String)? = nil, limit: Int
    ) throws(Problem) -> [Consumer] {
        let (value, user) = last ?? (Int64.max, "")
        return try consumers(
            """
            c.granularity = \(window.rawValue) AND c.period = \(period)
                AND c.metric = \(metric) AND c.key_id = ''
                AND (c.value < \(value) OR (c.value = \(value) AND c.user_id > \(user)))
            ORDER BY c.value DESC, c.user_id LIMIT \(limit)
            """)
    }

    /// Who used a metric in a period, in the order of their ids, which no count changes: what an
    /// export of all of them is read by.
    package func all(
        metric: String, window: Window, period: String, after user: String?, limit: Int
    ) throws(Problem) -> [Consumer] {
        try consumers(
            """
            c.granularity = \(window.rawValue) AND c.period = \(period)
                AND c.metric = \(metric) AND c.key_id = '' AND c.user_id > \(user ?? "")
            ORDER BY c.user_id LIMIT \(limit)
            """)
    }

    /// Everything that one customer used in a period, or one metric of it; sorted by metric.
    package func metrics(
        of user: UserID, metric: String?, window: Window, period: String
    ) throws(Problem) -> [Consumer] {
        let only: SQL = metric.map { " AND c.metric = \($0)" } ?? ""
        return try consumers(
            """
            c.user_id = \(user) AND c.key_id = '' AND c.granularity = \(window.rawValue)
                AND c.period = \(period)\(only)
            ORDER BY c.metric
            """)
    }

    private func consumers(_ condition: SQL) throws(Problem) -> [Consumer] {
        try db.rows(
            """
            SELECT u.id, u.email, c.metric, c.value FROM usage_counters c
            JOIN users u ON u.id = c.user_id
            WHERE \(condition)
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

    package struct OfPlan: Sendable, Equatable {
        package let plan: String
        package let metric: String
        package let value: Int64
    }

    /// What the customers of each plan used in a period.
    package func byPlan(
        window: Window, period: String, limit: Int
    ) throws(Problem) -> [OfPlan] {
        try db.rows(
            """
            SELECT p.slug, c.metric, CAST(sum(c.value) AS BIGINT) FROM usage_counters c
            JOIN subscriptions s ON s.user_id = c.user_id AND s.status = 'active'
            JOIN plans p ON p.id = s.plan_id
            WHERE c.granularity = \(window.rawValue) AND c.period = \(period) AND c.key_id = ''
            GROUP BY p.slug, c.metric ORDER BY p.slug, c.metric LIMIT \(limit)
            """
        ) { row throws(Problem) in
            OfPlan(plan: try row.text(), metric: try row.text(), value: try row.integer())
        }
    }

    /// How many accounts used anything from a day on.
    package func activeUsers(from day: String) throws(Problem) -> Int64 {
        try db.count(
            """
            SELECT count(DISTINCT user_id) FROM usage_counters
            WHERE granularity = 'day' AND period >= \(day) AND key_id = ''
            """)
    }

    /// Drops counters of periods before that one, at most `most` of accounts and of keys each;
    /// returns how many went.
    package func prune(
        _ window: Window, before period: String, atMost most: Int
    ) throws(Problem) -> Int {
        // Each condition on `key_id` is that of an index.
        let accounts = try db.execute(
            """
            DELETE FROM usage_counters WHERE (user_id, key_id, metric, granularity, period) IN
                (SELECT user_id, key_id, metric, granularity, period FROM usage_counters
                 WHERE granularity = \(window.rawValue) AND period < \(period) AND key_id = ''
                 ORDER BY period LIMIT \(most))
            """)
        let keys = try db.execute(
            """
            DELETE FROM usage_counters WHERE (user_id, key_id, metric, granularity, period) IN
                (SELECT user_id, key_id, metric, granularity, period FROM usage_counters
                 WHERE granularity = \(window.rawValue) AND period < \(period) AND key_id <> ''
                 ORDER BY period LIMIT \(most))
            """)
        return accounts + keys
    }
}
