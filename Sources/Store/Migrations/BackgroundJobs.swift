extension Migration {
    /// Work that runs in the background, and what comes again and again. docs/data.md explains it.
    static let backgroundJobs = Migration(
        name: "background jobs", statements: jobs + schedules + usage)

    private static let jobs = [
        """
        CREATE TABLE jobs (
            id TEXT NOT NULL PRIMARY KEY,
            kind TEXT NOT NULL,
            unique_key TEXT,
            payload_json TEXT NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'done', 'dead')),
            run_at INTEGER NOT NULL,
            attempts INTEGER NOT NULL CHECK (attempts >= 0),
            attempts_max INTEGER NOT NULL CHECK (attempts_max > 0),
            locked_by TEXT,
            locked_until INTEGER,
            last_error TEXT,
            created_at INTEGER NOT NULL,
            finished_at INTEGER,
            CHECK ((state = 'running') = (locked_by IS NOT NULL)),
            CHECK ((locked_by IS NULL) = (locked_until IS NULL)),
            CHECK ((state IN ('done', 'dead')) = (finished_at IS NOT NULL))
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE INDEX jobs_due ON jobs (kind, run_at, id) WHERE state = 'queued'",
        """
        CREATE UNIQUE INDEX jobs_unique ON jobs (unique_key)
        WHERE unique_key IS NOT NULL AND state IN ('queued', 'running')
        """,
        "CREATE INDEX jobs_by_state ON jobs (state, id)",
        "CREATE INDEX jobs_by_kind ON jobs (kind, id)",
        "CREATE INDEX jobs_unfinished ON jobs (kind, state) WHERE state <> 'done'",
    ]

    private static let schedules = [
        """
        CREATE TABLE schedules (
            name TEXT NOT NULL PRIMARY KEY,
            spec TEXT NOT NULL,
            next_at INTEGER NOT NULL,
            last_at INTEGER,
            last_job_id TEXT
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE INDEX schedules_by_next ON schedules (next_at)",
    ]

    /// The counters of keys, for dropping those of old hours and days: the other index has the
    /// counters of accounts alone.
    private static let usage = [
        """
        CREATE INDEX usage_counters_of_keys ON usage_counters (granularity, period)
        WHERE key_id <> ''
        """
    ]
}
