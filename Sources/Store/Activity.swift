import Domain

extension Connection {
    package var activity: Activity { Activity(db: self) }
}

/// The `activity` table: how often something happened in the whole appliance, by hour and by day.
/// It draws the dashboard; nobody is billed by it.
package struct Activity {
    let db: any Connection

    /// Rows of hours are kept this long, twice what the dashboard shows; rows of days for good.
    package static let hoursKept: Duration = .seconds(4 * 86_400)

    package struct Point: Sendable, Equatable {
        package let name: String
        package let period: String
        package let value: Int64
    }

    /// For a write transaction.
    ///
    /// - Parameter name: such as `sign_ins`, or `requests.allowed`, or `requests.refused.` and a
    ///   problem's code.
    package func add(_ name: String, _ count: Int64 = 1, at now: Timestamp) throws(Problem) {
        let (hour, day) = (Window.hour, Window.day)
        try db.execute(
            """
            INSERT INTO activity (granularity, period, name, value)
            VALUES (\(hour.rawValue), \(hour.period(hour.index(of: now))), \(name), \(count)),
                (\(day.rawValue), \(day.period(day.index(of: now))), \(name), \(count))
            ON CONFLICT (granularity, period, name) DO UPDATE
                SET value = activity.value + excluded.value
            """)
    }

    /// What happened from a period on, the oldest first.
    package func points(_ window: Window, from period: String) throws(Problem) -> [Point] {
        try db.rows(
            """
            SELECT name, period, value FROM activity
            WHERE granularity = \(window.rawValue) AND period >= \(period)
            ORDER BY period, name
            """
        ) { row throws(Problem) in
            Point(name: try row.text(), period: try row.text(), value: try row.integer())
        }
    }

    package func prune(before moment: Timestamp, atMost most: Int) throws(Problem) -> Int {
        let oldest = Window.hour.period(Window.hour.index(of: moment))
        return try db.execute(
            """
            DELETE FROM activity WHERE granularity = 'hour' AND period IN
                (SELECT period FROM activity WHERE granularity = 'hour' AND period < \(oldest)
                 ORDER BY period LIMIT \(most))
            """)
    }
}
