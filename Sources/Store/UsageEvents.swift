import Domain

extension Connection {
    package var usageEvents: UsageEvents { UsageEvents(db: self) }
}

/// The `usage_events` table: the ids of what a customer's service has reported, so that a report
/// that comes again is not counted again.
package struct UsageEvents {
    let db: any Connection

    package struct Event: Equatable, Sendable {
        /// The sender's own, unique for the user.
        package let id: String
        package let user: UserID
        /// Counted beside the account, for a key that has limits of its own.
        package let key: APIKeyID?
        package let metric: String
        /// Units of the metric.
        package let value: Int64
        /// When it was used: the hour that it is counted in.
        package let at: Timestamp

        package init(
            id: String, user: UserID, key: APIKeyID?, metric: String, value: Int64, at: Timestamp
        ) {
            self.id = id
            self.user = user
            self.key = key
            self.metric = metric
            self.value = value
            self.at = at
        }
    }

    /// Keeps and counts those that are new, in the caller's transaction: whoever dies, an event is
    /// counted once. True stands for a new one, in the order of `events`; false for one that was
    /// there, also earlier in `events`, and for one whose user is gone.
    package func record(_ events: [Event], at now: Timestamp) throws(Problem) -> [Bool] {
        var isNew: [Bool] = []
        var deltas: [UsageDelta] = []
        for event in events {
            let count = try db.execute(
                """
                INSERT INTO usage_events (user_id, id, metric, value, at, created_at)
                SELECT id, \(event.id), \(event.metric), \(event.value), \(event.at), \(now)
                FROM users WHERE id = \(event.user)
                ON CONFLICT (user_id, id) DO NOTHING
                """)
            isNew.append(count == 1)
            if count == 1 { deltas += event.deltas }
        }
        try db.usage.add(deltas)
        return isNew
    }

    /// For how long an id is known (contract.md).
    package static let kept = Duration.seconds(32 * 86_400)

    package func prune(
        recordedBefore moment: Timestamp, atMost most: Int
    ) throws(Problem) -> Int {
        try db.execute(
            """
            DELETE FROM usage_events WHERE (user_id, id) IN
                (SELECT user_id, id FROM usage_events WHERE created_at < \(moment)
                 ORDER BY created_at LIMIT \(most))
            """)
    }
}

extension UsageEvents.Event {
    /// For the account, and for the key if there is one.
    fileprivate var deltas: [UsageDelta] {
        let hour = Window.hour.index(of: at)
        let counted: [APIKeyID?] = key.map { [nil, $0] } ?? [nil]
        return counted.map { key in
            UsageDelta(
                key: UsageDelta.Key(user: user, key: key, metric: metric, hour: hour),
                value: value)
        }
    }
}
