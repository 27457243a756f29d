extension Migration {
    /// The tables of the first release. docs/data.md explains them.
    static let foundation = Migration(
        name: "foundation", statements: accounts + sessions + plans + keys + usage + records,
        onPostgres: [
            // Names are searched without regard to capitals, and `lower` knows no letters but
            // ASCII's in the collation "C" that every other text has.
            "ALTER TABLE users ALTER COLUMN name TYPE TEXT COLLATE \"und-x-icu\""
        ])

    private static let accounts = [
        """
        CREATE TABLE users (
            id TEXT NOT NULL PRIMARY KEY,
            email TEXT NOT NULL UNIQUE,
            name TEXT,
            password_hash TEXT,
            role TEXT NOT NULL CHECK (role IN ('user', 'support', 'admin')),
            is_superuser INTEGER NOT NULL
                GENERATED ALWAYS AS (CASE WHEN role = 'admin' THEN 1 ELSE 0 END) STORED,
            is_active INTEGER NOT NULL CHECK (is_active IN (0, 1)),
            email_verified INTEGER NOT NULL CHECK (email_verified IN (0, 1)),
            totp_enabled INTEGER NOT NULL CHECK (totp_enabled IN (0, 1)),
            token_version INTEGER NOT NULL CHECK (token_version > 0),
            created_at INTEGER NOT NULL,
            updated_at INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE INDEX users_by_role ON users (role, id)",
        """
        CREATE TABLE one_time_tokens (
            token_hash BLOB NOT NULL PRIMARY KEY,
            purpose TEXT NOT NULL CHECK (purpose IN ('setup', 'verify', 'reset')),
            user_id TEXT REFERENCES users (id) ON DELETE CASCADE,
            email TEXT,
            created_at INTEGER NOT NULL,
            expires_at INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE INDEX one_time_tokens_by_user ON one_time_tokens (user_id, purpose)",
        "CREATE INDEX one_time_tokens_by_end ON one_time_tokens (expires_at)",
    ]

    private static let sessions = [
        """
        CREATE TABLE sessions (
            id TEXT NOT NULL PRIMARY KEY,
            user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
            generation INTEGER NOT NULL CHECK (generation > 0),
            delivered_at INTEGER,
            user_agent TEXT,
            ip TEXT,
            created_at INTEGER NOT NULL,
            last_used_at INTEGER NOT NULL,
            expires_at INTEGER NOT NULL,
            revoked_at INTEGER
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE INDEX sessions_by_user ON sessions (user_id, id)",
        "CREATE INDEX sessions_by_end ON sessions (expires_at)",
        """
        CREATE TABLE refresh_tokens (
            token_hash BLOB NOT NULL PRIMARY KEY,
            session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
            user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
            generation INTEGER NOT NULL CHECK (generation > 0),
            issued_at INTEGER NOT NULL,
            expires_at INTEGER NOT NULL,
            revoked INTEGER NOT NULL CHECK (revoked IN (0, 1)),
            user_agent TEXT,
            ip TEXT
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE INDEX refresh_tokens_by_session ON refresh_tokens (session_id, generation)",
        "CREATE INDEX refresh_tokens_by_user ON refresh_tokens (user_id)",
        "CREATE INDEX refresh_tokens_by_end ON refresh_tokens (expires_at)",
    ]

    private static let plans = [
        """
        CREATE TABLE plans (
            id TEXT NOT NULL PRIMARY KEY,
            slug TEXT NOT NULL UNIQUE,
            name TEXT NOT NULL,
            description TEXT,
            price TEXT,
            limits_json TEXT NOT NULL,
            self_service INTEGER NOT NULL CHECK (self_service IN (0, 1)),
            is_default INTEGER NOT NULL CHECK (is_default IN (0, 1)),
            archived_at INTEGER,
            created_at INTEGER NOT NULL,
            updated_at INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE UNIQUE INDEX plans_default ON plans (is_default) WHERE is_default = 1",
        """
        CREATE TABLE subscriptions (
            id TEXT NOT NULL PRIMARY KEY,
            user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
            plan_id TEXT NOT NULL REFERENCES plans (id),
            status TEXT NOT NULL CHECK (status IN ('active', 'canceled', 'expired')),
            started_at INTEGER NOT NULL,
            expires_at INTEGER,
            canceled_at INTEGER
        ) STRICT, WITHOUT ROWID
        """,
        """
        CREATE UNIQUE INDEX subscriptions_active ON subscriptions (user_id)
            WHERE status = 'active'
        """,
        "CREATE INDEX subscriptions_by_user ON subscriptions (user_id, id)",
        "CREATE INDEX subscriptions_by_plan ON subscriptions (plan_id, id)",
        """
        CREATE INDEX subscriptions_by_end ON subscriptions (expires_at) WHERE status = 'active'
        """,
    ]

    private static let keys = [
        """
        CREATE TABLE api_keys (
            id TEXT NOT NULL PRIMARY KEY,
            user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
            name TEXT NOT NULL,
            public_id TEXT NOT NULL UNIQUE,
            last_four TEXT NOT NULL,
            key_hash BLOB NOT NULL,
            previous_public_id TEXT UNIQUE,
            previous_hash BLOB,
            previous_until INTEGER,
            scopes TEXT NOT NULL,
            limits_json TEXT NOT NULL,
            allowed_cidrs TEXT NOT NULL,
            expires_at INTEGER,
            last_used_at INTEGER,
            revoked_at INTEGER,
            created_at INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE INDEX api_keys_by_user ON api_keys (user_id, id)",
    ]

    private static let usage = [
        """
        CREATE TABLE usage_counters (
            user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
            key_id TEXT NOT NULL,
            metric TEXT NOT NULL,
            granularity TEXT NOT NULL CHECK (granularity IN ('hour', 'day', 'month')),
            period TEXT NOT NULL,
            value INTEGER NOT NULL CHECK (value >= 0),
            PRIMARY KEY (user_id, key_id, metric, granularity, period)
        ) STRICT, WITHOUT ROWID
        """,
        """
        CREATE INDEX usage_counters_by_period
            ON usage_counters (granularity, period, metric) WHERE key_id = ''
        """,
        """
        CREATE TABLE rate_states (
            subject TEXT NOT NULL,
            name TEXT NOT NULL,
            backlog TEXT NOT NULL,
            updated_at INTEGER NOT NULL,
            PRIMARY KEY (subject, name)
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE INDEX rate_states_by_age ON rate_states (updated_at)",
    ]

    private static let records = [
        """
        CREATE TABLE items (
            id TEXT NOT NULL PRIMARY KEY,
            user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
            name TEXT NOT NULL,
            data_json TEXT NOT NULL,
            created_at INTEGER NOT NULL,
            updated_at INTEGER NOT NULL
        ) STRICT
        """,
        "CREATE INDEX items_by_user ON items (user_id, id)",
        """
        CREATE TABLE audit_logs (
            sequence INTEGER NOT NULL PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            at INTEGER NOT NULL,
            action TEXT NOT NULL,
            actor TEXT NOT NULL,
            target TEXT NOT NULL,
            meta_json TEXT NOT NULL,
            request_id TEXT,
            ip TEXT,
            ip_salt BLOB,
            ip_digest BLOB,
            previous_hash BLOB NOT NULL,
            hash BLOB NOT NULL
        ) STRICT
        """,
        "CREATE INDEX audit_logs_by_actor ON audit_logs (actor, sequence)",
        "CREATE INDEX audit_logs_by_target ON audit_logs (target, sequence)",
        "CREATE INDEX audit_logs_by_action ON audit_logs (action, sequence)",
        """
        CREATE TABLE installation (
            name TEXT NOT NULL PRIMARY KEY,
            value TEXT NOT NULL
        ) STRICT, WITHOUT ROWID
        """,
    ]
}
