extension Migration {
    /// What the dashboard counts. docs/data.md explains it.
    static let administration = Migration(
        name: "administration",
        statements: [
            """
            CREATE TABLE activity (
                granularity TEXT NOT NULL CHECK (granularity IN ('hour', 'day')),
                period TEXT NOT NULL,
                name TEXT NOT NULL,
                value INTEGER NOT NULL CHECK (value >= 0),
                PRIMARY KEY (granularity, period, name)
            ) STRICT, WITHOUT ROWID
            """,
            "CREATE INDEX users_inactive ON users (id) WHERE is_active = 0",
            """
            CREATE INDEX subscriptions_active_by_plan ON subscriptions (plan_id)
                WHERE status = 'active'
            """,
        ])
}
