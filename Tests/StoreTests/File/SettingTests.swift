import CSQLite
import Domain
import Testing

@testable import Store

/// The rules of sqlite.md, read back from the connections that serve.
@Suite("Settings of the connections")
struct SettingTests {
    @Test(
        "The writer is set up to keep the file whole",
        arguments: [
            ("journal_mode", "wal"), ("synchronous", "2"), ("foreign_keys", "1"),
            ("trusted_schema", "0"), ("mmap_size", "0"), ("cache_spill", "0"),
            ("secure_delete", "2"), ("application_id", "1195463749"), ("busy_timeout", "5000"),
            ("wal_autocheckpoint", "0"), ("cache_size", "-16384"), ("temp_store", "2"),
            ("journal_size_limit", "16777216"), ("page_size", "4096"),
        ])
    func writer(name: String, expected: String) async throws {
        try await withSQLiteStore { store, _ in
            let value = try await store.write { db throws(Problem) in
                try pragma(name, on: db)
            }
            #expect(value == expected)
        }
    }

    @Test(
        "A reader is set up to read alone",
        arguments: [
            ("journal_mode", "wal"), ("query_only", "1"), ("foreign_keys", "1"),
            ("trusted_schema", "0"), ("mmap_size", "0"), ("busy_timeout", "5000"),
            ("cache_size", "-4096"), ("temp_store", "2"),
        ])
    func reader(name: String, expected: String) async throws {
        try await withSQLiteStore(readerCount: 1) { store, _ in
            let value = try await store.read { db throws(Problem) in try pragma(name, on: db) }
            #expect(value == expected)
        }
    }

    @Test("The version of the schema is the number of migrations")
    func version() async throws {
        try await withSQLiteStore { store, _ in
            let version = try await store.read { db throws(Problem) in
                try pragma("user_version", on: db)
            }
            #expect(version == "\(Migration.all.count)")
            #expect(SQLiteSchema.current == Migration.all.count)
        }
    }

    @Test("A read connection cannot write")
    func readOnly() async throws {
        try await withSQLiteStore { store, _ in
            await #expect {
                try await store.read { db throws(Problem) in try db.installation.set("a", "1") }
            } throws: { error in
                (error as? Problem)?.cause?.hasPrefix("SQLite 8:") == true
            }
            let rows = try await store.count("SELECT count(*) FROM installation")
            #expect(rows == 0)
        }
    }

    @Test("The schema's own table cannot be written, even by the writer")
    func defensive() async throws {
        try await withSQLiteStore { store, _ in
            let problem = await store.refusal { db throws(Problem) in
                try db.execute("PRAGMA writable_schema = ON")
                try db.execute("DELETE FROM sqlite_schema")
            }
            #expect(problem?.code == .internal)
            let rows = try await store.count("SELECT count(*) FROM sqlite_schema")
            #expect(rows > 20)
        }
    }

    @Test("The library is one that the store accepts, and is named as it names itself")
    func library() throws {
        try SQLiteFile.checkLibrary()
        let library = SQLiteStore.library
        #expect(library.version == String(cString: sqlite3_libversion()))
        #expect(library.sourceID.hasPrefix("20"))
        // sqlite.md 1: fixed in 3.51.3, 3.50.7 and 3.44.6, and later ones of these lines.
        let parts = library.version.split(separator: ".").compactMap { Int($0) }
        let isFixed =
            parts.lexicographicallyPrecedes([3, 51, 3]) == false
            || (parts.starts(with: [3, 50]) && parts.last ?? 0 >= 7)
            || (parts.starts(with: [3, 44]) && parts.last ?? 0 >= 6)
        #expect(library.hasWALResetFix == isFixed)
    }
}

/// Pragma names cannot be bound.
private func pragma(_ name: String, on db: any Connection) throws(Problem) -> String? {
    try db.first(SQL(stringLiteral: "PRAGMA \(name)")) { row throws(Problem) in try row.text() }
}
