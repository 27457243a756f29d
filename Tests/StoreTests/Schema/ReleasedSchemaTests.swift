import Domain
import Support
import Testing

@testable import Store

@Suite("A store of an earlier release")
struct ReleasedSchemaTests {
    @Test("Its migrations are as they were released", arguments: ReleasedSchema.all)
    func unchanged(released: ReleasedSchema) throws {
        let text = try released.generated()
        if released.file.size == nil, ReleasedSchema.writesMissing {
            try released.file.append(text)
        }
        #expect(String(decoding: try released.file.bytes(), as: UTF8.self) == text)
    }

    @Test("It becomes the newest one and keeps its rows", arguments: ReleasedSchema.all)
    func migrates(released: ReleasedSchema) throws {
        let (place, fresh) = (try StoreFile(), try StoreFile())
        try released.create(at: place)
        let before = try Self.contents(of: try SQLiteFile.openReader(place.path))
        #expect(before.values.allSatisfy { $0.rows.count == 1 })
        try place.create()
        try fresh.create()

        let store = try SQLiteFile.openReader(place.path)
        for (table, old) in before {
            let rows = try Dump.rows(of: table, old.columns, in: store)
            #expect(rows == old.rows, "\(table)")
        }
        #expect(try store.text("PRAGMA integrity_check") == "ok")
        #expect(try store.text("SELECT count(*) FROM pragma_foreign_key_check()") == "0")
        #expect(try store.text("PRAGMA user_version") == "\(SQLiteSchema.current)")
        #expect(
            try Self.schema(of: store) == Self.schema(of: try SQLiteFile.openReader(fresh.path)))
    }

    private static func contents(
        of store: SQLiteConnection
    ) throws -> [String: (columns: [String], rows: [String])] {
        var contents: [String: (columns: [String], rows: [String])] = [:]
        for table in try Dump.tables(of: store) {
            let columns = try Dump.columns(of: table, in: store)
            contents[table] = (columns, try Dump.rows(of: table, columns, in: store))
        }
        return contents
    }

    private static func schema(of store: SQLiteConnection) throws -> [String] {
        try Dump.texts(
            "SELECT name || coalesce(sql, '') FROM sqlite_schema ORDER BY name", of: store)
    }

    @Test("Before it is changed, whoever opens it is asked; a new one is not")
    func asked() throws {
        let place = try StoreFile()
        try ReleasedSchema(version: 1).create(at: place)
        var asked: [[Int]] = []
        let before = { (migrating: SQLiteMigrating) throws(StoreRefusal) in
            asked.append([migrating.from, migrating.to])
            throw StoreRefusal.cannotCreate("no room")
        }
        #expect(throws: StoreRefusal.cannotCreate("no room")) {
            try SQLiteStore(file: place.path, beforeMigrating: before)
        }
        #expect(asked == [[1, SQLiteSchema.current]])
        #expect(try SQLiteFile.openReader(place.path).text("PRAGMA user_version") == "1")
        let fresh = try StoreFile()
        try SQLiteStore(file: fresh.path, beforeMigrating: before).close()
        try SQLiteStore(file: fresh.path, beforeMigrating: before).close()
        #expect(asked.count == 1)
    }

    @Test("What is copied before a migration is the store of before, and a note is kept through it")
    func copied() async throws {
        let place = try StoreFile()
        try ReleasedSchema(version: 1).create(at: place)
        let copy = place.path + ".copy"
        let event = AuditEvent(action: "backup.made", actor: .system, target: "backup:a")
        let now = Timestamp(milliseconds: 1_795_435_200_000)
        let store = try SQLiteStore(
            file: place.path,
            beforeMigrating: { migrating throws(StoreRefusal) in
                try SQLiteCopy.prepare(copy)
                try migrating.copy(to: copy)
                try migrating.note(event, at: now)
            })
        defer { store.close() }
        #expect(try SQLiteCopy.settle(copy).schema == 1)
        let entered = try await store.write { db throws(Problem) in try db.auditNotes.enter() }
        #expect(entered == ["backup.made"])
        let again = try await store.write { db throws(Problem) in try db.auditNotes.enter() }
        #expect(again.isEmpty)
        let rows = try await store.read { db throws(Problem) in
            try db.audit.list(AuditLog.Filter(), before: nil, limit: 1)
        }
        #expect(rows.first?.at == now)
        #expect(rows.first?.target == "backup:a")
        #expect(rows.first?.actor == "system")
    }
}
