extension Migration {
    /// The tables of what a customer's own service calls. docs/data.md explains them.
    static let serviceCalls = Migration(
        name: "service calls", statements: leases + reservations + events + answers)

    private static let leases = [
        """
        CREATE TABLE leases (
            id TEXT NOT NULL PRIMARY KEY,
            user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
            key_id TEXT,
            resource TEXT NOT NULL,
            fencing_token INTEGER NOT NULL UNIQUE CHECK (fencing_token > 0),
            created_at INTEGER NOT NULL,
            expires_at INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE INDEX leases_by_user ON leases (user_id, expires_at, id)",
        "CREATE INDEX leases_by_end ON leases (expires_at)",
    ]

    private static let reservations = [
        """
        CREATE TABLE reservations (
            id TEXT NOT NULL PRIMARY KEY,
            user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
            key_id TEXT,
            metric TEXT NOT NULL,
            amount INTEGER NOT NULL CHECK (amount >= 0),
            created_at INTEGER NOT NULL,
            expires_at INTEGER NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('held', 'committed', 'released')),
            settled_amount INTEGER CHECK (settled_amount >= 0),
            settled_at INTEGER,
            CHECK ((state = 'held') = (settled_at IS NULL)),
            CHECK ((state = 'committed') = (settled_amount IS NOT NULL))
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE INDEX reservations_by_user ON reservations (user_id, state, expires_at, id)",
        "CREATE INDEX reservations_by_end ON reservations (expires_at)",
    ]

    private static let events = [
        """
        CREATE TABLE usage_events (
            id TEXT NOT NULL,
            user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
            metric TEXT NOT NULL,
            value INTEGER NOT NULL CHECK (value >= 0),
            at INTEGER NOT NULL,
            created_at INTEGER NOT NULL,
            PRIMARY KEY (user_id, id)
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE INDEX usage_events_by_age ON usage_events (created_at)",
    ]

    private static let answers = [
        """
        CREATE TABLE idempotency_keys (
            owner TEXT NOT NULL,
            key_hash BLOB NOT NULL,
            fingerprint BLOB NOT NULL,
            status INTEGER NOT NULL CHECK (status BETWEEN 100 AND 599),
            headers_json TEXT NOT NULL,
            sealed_body BLOB NOT NULL,
            created_at INTEGER NOT NULL,
            PRIMARY KEY (owner, key_hash)
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at)",
    ]
}
