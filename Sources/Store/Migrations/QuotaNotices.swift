extension Migration {
    /// What customers were told of their quotas. docs/data.md explains it.
    static let quotaNotices = Migration(
        name: "quota notices",
        statements: [
            """
            CREATE TABLE quota_alerts (
                user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
                metric TEXT NOT NULL,
                granularity TEXT NOT NULL CHECK (granularity IN ('day', 'month')),
                period TEXT NOT NULL,
                threshold INTEGER NOT NULL CHECK (threshold IN (80, 100)),
                created_at INTEGER NOT NULL,
                PRIMARY KEY (user_id, metric, granularity, period, threshold)
            ) STRICT, WITHOUT ROWID
            """,
            "CREATE INDEX quota_alerts_by_age ON quota_alerts (created_at)",
        ])
}
