import Domain
import Support
import Testing

@testable import Store

@Suite("The schema on PostgreSQL")
struct PostgresSchemaTests {
    @Test("A step is read as PostgreSQL spells it")
    func translated() {
        let step = """
            CREATE TABLE a (
                id TEXT NOT NULL PRIMARY KEY,
                hash BLOB,
                at INTEGER NOT NULL CHECK (at > 0)
            ) STRICT, WITHOUT ROWID
            """
        #expect(
            PostgresSchema.translated(step) == """
                CREATE TABLE a (
                    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
                    hash BYTEA,
                    at BIGINT NOT NULL CHECK (at > 0)
                )
                """)
        #expect(PostgresSchema.translated("CREATE TABLE a (b BLOB) STRICT").hasSuffix("(b BYTEA)"))
        let index = "CREATE INDEX a_by_b ON a (b) WHERE c = 'text'"
        #expect(PostgresSchema.translated(index) == index)
    }

    @Test(
        "It has the tables, columns and indexes that SQLite has",
        .enabled(if: Engine.wanted.contains(.postgres)))
    func same() async throws {
        var found: [Engine: Set<String>] = [:]
        try await withSQLiteStore { store, _ in
            found[.sqlite] = Set(
                try await store.texts(
                    """
                    SELECT t.name || '.' || c.name || ' ' || c.type FROM sqlite_schema t
                    JOIN pragma_table_xinfo(t.name) c WHERE t.type = 'table'
                    UNION ALL
                    SELECT name FROM sqlite_schema WHERE type = 'index' AND sql NOT NULL
                    """))
        }
        try await PostgresServer.shared.with { lent in
            found[.postgres] = Set(
                try await lent.store.texts(
                    """
                    SELECT table_name || '.' || column_name || ' ' || CASE data_type
                        WHEN 'bigint' THEN 'INTEGER' WHEN 'bytea' THEN 'BLOB'
                        WHEN 'text' THEN 'TEXT' ELSE data_type END
                    FROM information_schema.columns
                    WHERE table_schema = current_schema() AND table_name <> 'schema_version'
                    UNION ALL
                    SELECT indexname FROM pg_indexes WHERE schemaname = current_schema()
                        AND indexname NOT LIKE '%\\_key' AND indexname NOT LIKE '%\\_pkey'
                    """))
        }
        let (sqlite, postgres) = (found[.sqlite] ?? [], found[.postgres] ?? [])
        #expect(sqlite.subtracting(postgres) == [])
        #expect(postgres.subtracting(sqlite) == [])
        #expect(sqlite.count > 150)
    }

    @Test(
        "Texts are compared byte by byte, whatever the database's locale is",
        .enabled(if: Engine.wanted.contains(.postgres)))
    func collations() async throws {
        try await PostgresServer.shared.with { lent in
            let others = try await lent.store.texts(
                """
                SELECT table_name || '.' || column_name || ' ' ||
                    coalesce(collation_name, 'default')
                FROM information_schema.columns
                WHERE table_schema = current_schema() AND data_type = 'text'
                    AND coalesce(collation_name, '') <> 'C'
                """)
            #expect(others == ["users.name und-x-icu"])
        }
    }

    @Test(
        "A database of another program is left alone",
        .enabled(if: Engine.wanted.contains(.postgres)))
    func foreign() async throws {
        let url = try PostgresDatabase.make()
        let connection = try PostgresConnection(PostgresOptions(url: url))
        try connection.run("CREATE TABLE users (id BIGINT)")
        #expect {
            try PostgresStore(url: url).close()
        } throws: { error in
            guard case .unsuitable(let line)? = error as? StoreRefusal else { return false }
            return line.contains("another program")
        }
        let plans = try connection.text("SELECT to_regclass('plans')")
        #expect(plans == nil)
    }

    @Test(
        "A newer schema is left alone, and an older one where migrating was not asked for",
        .enabled(if: Engine.wanted.contains(.postgres)))
    func versions() async throws {
        let url = try PostgresDatabase.make()
        #expect {
            try PostgresStore(url: url, migrates: false).close()
        } throws: {
            "\($0)" == "The schema is at version 0. Run: gatehouse migrate"
        }
        try PostgresStore(url: url).close()
        let connection = try PostgresConnection(PostgresOptions(url: url))
        try connection.run("UPDATE schema_version SET version = 1000")
        #expect {
            try PostgresStore(url: url).close()
        } throws: { error in
            guard case .newerSchema? = error as? StoreRefusal else { return false }
            return true
        }
    }

    @Test("A URL that cannot be read is refused without the password in it")
    func url() {
        #expect {
            try PostgresStore(url: "postgres://me:secret@[::1/x").close()
        } throws: {
            !"\($0)".contains("secret")
        }
    }

    @Test("A server that is not there is said to be unreachable, without the password")
    func unreachable() {
        #expect {
            try PostgresStore(url: "postgres://me:secret@127.0.0.1:1/x").close()
        } throws: { error in
            guard case .unreachable(let line)? = error as? StoreRefusal else { return false }
            return line.contains("127.0.0.1:1/x") && !line.contains("secret")
        }
    }
}
