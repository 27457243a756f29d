extension Migration {
    /// The tables of the second factor of a sign-in. docs/data.md explains them.
    static let secondFactors = Migration(
        name: "second factors",
        statements: [
            """
            CREATE TABLE second_factors (
                user_id TEXT NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
                sealed_secret BLOB NOT NULL,
                last_step INTEGER NOT NULL,
                confirmed_at INTEGER,
                created_at INTEGER NOT NULL
            ) STRICT, WITHOUT ROWID
            """,
            """
            CREATE TABLE recovery_codes (
                user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
                code_hash BLOB NOT NULL,
                PRIMARY KEY (user_id, code_hash)
            ) STRICT, WITHOUT ROWID
            """,
        ])
}
