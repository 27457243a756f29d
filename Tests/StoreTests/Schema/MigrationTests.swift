import Domain
import Testing

@testable import Store

@Suite("Migrations")
struct MigrationTests {
    /// The last table or index of each, which is in its way when it is there before.
    private static let lastTables = [
        "installation", "idempotency_keys", "recovery_codes", "activity", "schedules",
        "quota_alerts", "changes", "guess_runs",
    ]

    private static func schema(of place: StoreFile) throws -> [String] {
        let reader = try SQLiteFile.openReader(place.path)
        return try reader.rows("SELECT name || coalesce(sql, '') FROM sqlite_schema ORDER BY name")
        {
            row throws(Problem) in try row.text()
        }
    }

    private static func version(of place: StoreFile) throws -> String {
        try SQLiteFile.openReader(place.path).text("PRAGMA user_version")
    }

    @Test("One that fails leaves nothing of itself and all before it, and its name is told")
    func failing() throws {
        #expect(Self.lastTables.count == Migration.all.count)
        for (index, table) in Self.lastTables.enumerated() {
            let place = try StoreFile()
            try place.create(version: index)
            try place.run("CREATE TABLE \(table) (a)")
            let before = try Self.schema(of: place)
            for _ in 0..<2 {
                guard case .damaged(let text)? = place.refusal() else {
                    Issue.record("not refused as damaged: \(table)")
                    return
                }
                let name = Migration.all[index].name
                #expect(text.hasPrefix("Migration \(index + 1) (\(name)) failed"))
            }
            #expect(try Self.schema(of: place) == before)
            #expect(try Self.version(of: place) == "\(index)")
        }
    }

    @Test("An older store gets the schema of a fresh one", arguments: 0..<SQLiteSchema.current)
    func older(version: Int) throws {
        let (place, fresh) = (try StoreFile(), try StoreFile())
        try place.create(version: version)
        #expect(try Self.version(of: place) == "\(version)")
        try fresh.create()
        #expect(try Self.schema(of: place) != Self.schema(of: fresh))
        try place.create()
        #expect(try Self.schema(of: place) == Self.schema(of: fresh))
        #expect(try Self.version(of: place) == "\(SQLiteSchema.current)")
    }

    @Test("An older store keeps its rows", arguments: 1..<SQLiteSchema.current)
    func rows(version: Int) throws {
        let place = try StoreFile()
        try place.create(version: version)
        let store = try SQLiteFile.openWriter(place.path)
        let tables = Set(
            try store.rows("SELECT name FROM sqlite_schema WHERE type = 'table'") {
                row throws(Problem) in try row.text()
            })
        let rows = GoodRow.all.filter { tables.contains($0.table) }
        #expect(rows.count == tables.count)
        for row in rows { try store.execute(row.insertion()) }
        try SQLiteSchema.migrate(store, from: version)
        for row in rows {
            let kept = try store.count(SQL(stringLiteral: "SELECT count(*) FROM \(row.table)"))
            #expect(kept == 1, "\(row.table)")
        }
        #expect(try store.count("SELECT count(*) FROM pragma_foreign_key_check") == 0)
    }

    @Test("Runs of guesses of before are runs afterwards, and rates are rates")
    func guessRuns() throws {
        let place = try StoreFile()
        try place.create(version: 7)
        let store = try SQLiteFile.openWriter(place.path)
        for name in ["login:a", "login-from:a", "mail:a", "otp:a", "password:a"] {
            try store.execute("INSERT INTO rate_states VALUES ('throttle', \(name), '9', 1)")
        }
        try store.execute("INSERT INTO rate_states VALUES ('user:a', 'login:a', '9', 1)")
        try SQLiteSchema.migrate(store, from: 7)
        let rows = try store.rows(
            "SELECT subject || ' ' || name || ' ' || backlog FROM rate_states ORDER BY 1"
        ) { row throws(Problem) in try row.text() }
        #expect(
            rows == [
                "guesses login:a 9", "guesses otp:a 9", "guesses password:a 9",
                "throttle login-from:a 9", "throttle mail:a 9", "user:a login:a 9",
            ])
    }
}
