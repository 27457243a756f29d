import Domain

extension Connection {
    package var quotaAlerts: QuotaAlerts { QuotaAlerts(db: self) }
}

/// The `quota_alerts` table: what customers were told of their quotas, so that none is told twice.
package struct QuotaAlerts {
    let db: any Connection

    /// The longest window is a month.
    package static let kept: Duration = .seconds(32 * 86_400)

    /// Notes that a customer is told. False, and nothing is written, when they were told of this or
    /// more of this window before, and when the account is gone.
    package func insert(
        _ use: QuotaUse, of user: UserID, threshold: QuotaUse.Threshold, at now: Timestamp
    ) throws(Problem) -> Bool {
        let (granularity, period) = (use.window.rawValue, use.window.period(use.index))
        return try db.execute(
            """
            INSERT INTO quota_alerts (user_id, metric, granularity, period, threshold, created_at)
            SELECT u.id, \(use.metric), \(granularity), \(period), \(threshold.rawValue), \(now)
            FROM users u WHERE u.id = \(user) AND NOT EXISTS (
                SELECT 1 FROM quota_alerts a
                WHERE a.user_id = \(user) AND a.metric = \(use.metric)
                    AND a.granularity = \(granularity) AND a.period = \(period)
                    AND a.threshold >= \(threshold.rawValue))
            """) == 1
    }

    package func prune(createdBefore moment: Timestamp, atMost most: Int) throws(Problem) -> Int {
        try db.execute(
            """
            DELETE FROM quota_alerts WHERE (user_id, metric, granularity, period, threshold) IN
                (SELECT user_id, metric, granularity, period, threshold FROM quota_alerts
                 WHERE created_at < \(moment) ORDER BY created_at LIMIT \(most))
            """)
    }
}
