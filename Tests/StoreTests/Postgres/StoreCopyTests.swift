import Domain
import Synchronization
import Testing

@testable import Store

@Suite("Copying a store to the other engine", .enabled(if: Engine.wanted == Engine.allCases))
struct StoreCopyTests {
    /// A row of each table, and so many customers that they take several pages.
    private static func fill(_ db: any Database, _ engine: Engine) async throws {
        let good = Engine.$current.withValue(engine) { GoodRow.all.map { $0.insertion() } }
        try await db.write { db throws(Problem) in
            for row in good { try db.execute(row) }
            var sample = Sample()
            for number in 0..<1200 {
                let account = sample.account("\(number)@example.com", name: "Ü\(number)")
                _ = try db.accounts.insert(account, passwordHash: nil)
            }
        }
    }

    private static func dump(_ db: any Database) async throws -> [String: [[SQL.Value]]] {
        var found: [String: [[SQL.Value]]] = [:]
        for table in StoreTable.all {
            let list = table.columns.map(\.name).joined(separator: ", ")
            let key = table.key.map(\.name).joined(separator: ", ")
            found[table.name] = try await db.read { db throws(Problem) in
                let sql = SQL(stringLiteral: "SELECT \(list) FROM \(table.name) ORDER BY \(key)")
                return try db.rows(sql) { row throws(Problem) in
                    var values: [SQL.Value] = []
                    for column in table.columns {
                        let value: SQL.Value? =
                            switch column {
                            case .text: try row.optionalText().map { .text($0) }
                            case .integer: try row.optionalInteger().map { .integer($0) }
                            case .bytes: try row.optionalBytes().map { .bytes($0) }
                            }
                        values.append(value ?? .null)
                    }
                    return values
                }
            }
        }
        return found
    }

    private static func withBoth(
        _ body: (_ sqlite: any Database, _ postgres: any Database) async throws -> Void
    ) async throws {
        try await withSQLiteStore { sqlite, _ in
            try await PostgresServer.shared.with { lent in try await body(sqlite, lent.store) }
        }
    }

    @Test("Everything arrives, there and back, and is told by its rows")
    func thereAndBack() async throws {
        try await Self.withBoth { sqlite, postgres in
            try await Self.fill(sqlite, .sqlite)
            let before = try await Self.dump(sqlite)
            let there = try await StoreCopy(from: sqlite, to: postgres).run()
            #expect(try await Self.dump(postgres) == before)
            #expect(there.first { $0.name == "users" }?.rows == 1201)
            #expect(there.count == StoreTable.all.count - 1)
            try await withSQLiteStore { again, _ in
                let back = try await StoreCopy(from: postgres, to: again).run()
                #expect(try await Self.dump(again) == before)
                #expect(back == there)
            }
        }
    }

    @Test("A copy that was cut short goes on where it was, and only then is whole")
    func resumed() async throws {
        try await Self.withBoth { sqlite, postgres in
            try await Self.fill(sqlite, .sqlite)
            let before = try await Self.dump(sqlite)
            // The mark, a page of each of seven tables, and two pages of users.
            let cut = CutStore(postgres, after: 10)
            await #expect {
                _ = try await StoreCopy(from: sqlite, to: cut).run()
            } throws: {
                ($0 as? Problem)?.detail == "cut"
            }
            let mark = try await postgres.read { db throws(Problem) in
                try db.installation.value(StoreCopy.mark)
            }
            #expect(mark != nil)
            let first = Mutex<[String: Int64]>([:])
            _ = try await StoreCopy(from: sqlite, to: postgres).run { progress in
                first.withLock { $0[progress.table] = $0[progress.table] ?? progress.done }
            }
            #expect(try await Self.dump(postgres) == before)
            // What was there was not written again.
            #expect(first.withLock { $0["users"] } == 1000)
        }
    }

    @Test("A target that has anything in it is refused, and left as it is")
    func notEmpty() async throws {
        try await Self.withBoth { sqlite, postgres in
            try await Self.fill(sqlite, .sqlite)
            try await postgres.execute("INSERT INTO installation VALUES ('a', '1')")
            let before = try await Self.dump(postgres)
            await #expect {
                _ = try await StoreCopy(from: sqlite, to: postgres).run()
            } throws: { error in
                let problem = error as? Problem
                return problem?.code == .conflict && problem?.detail.contains("not empty") == true
            }
            #expect(try await Self.dump(postgres) == before)
        }
    }

    @Test("A part of another store's copy is refused")
    func another() async throws {
        try await Self.withBoth { sqlite, postgres in
            try await Self.fill(sqlite, .sqlite)
            try await postgres.execute("INSERT INTO installation VALUES ('copy_of', 'another')")
            await #expect {
                _ = try await StoreCopy(from: sqlite, to: postgres).run()
            } throws: {
                ($0 as? Problem)?.detail == "The target has a part of another store's copy."
            }
        }
    }

    @Test("A row that is not the same on both sides is found, and the copy is not whole")
    func differing() async throws {
        try await Self.withBoth { sqlite, postgres in
            try await Self.fill(sqlite, .sqlite)
            let isSpoilt = Mutex(false)
            let spoiling = CutStore(postgres, after: .max) {
                // Once there is something to spoil.
                guard isSpoilt.withLock({ !$0 }) else { return }
                let count = try await postgres.execute(
                    "UPDATE users SET name = 'x' WHERE email = '7@example.com'")
                isSpoilt.withLock { $0 = count == 1 }
            }
            await #expect {
                _ = try await StoreCopy(from: sqlite, to: spoiling).run()
            } throws: {
                ($0 as? Problem)?.cause?.hasPrefix("users has 1201 rows") == true
            }
            #expect(try await postgres.count("SELECT count(*) FROM installation") == 1)
        }
    }

    @Test("The list of tables has every column that is not generated, and the keys, of the schema")
    func complete() async throws {
        try await withSQLiteStore { store, _ in
            let columns = try await store.texts(
                """
                SELECT t.name || ' ' || c.name || ' ' || c.type || ' ' || c.pk
                FROM sqlite_schema t JOIN pragma_table_xinfo(t.name) c
                WHERE t.type = 'table' AND c.hidden = 0 AND t.name NOT IN ('nodes', 'changes')
                """)
            let listed = StoreTable.all.flatMap { table in
                table.columns.enumerated().map { index, column in
                    let type =
                        switch column {
                        case .text: "TEXT"
                        case .integer: "INTEGER"
                        case .bytes: "BLOB"
                        }
                    let key = index < table.key.count ? index + 1 : 0
                    return "\(table.name) \(column.name) \(type) \(key)"
                }
            }
            #expect(Set(listed) == Set(columns))
            #expect(listed.count == columns.count)
        }
    }
}

/// A store whose writes end after so many, or beside which something happens at each.
private struct CutStore: Database {
    private let base: any Database
    private let left: Left
    private let beside: @Sendable () async throws -> Void

    private final class Left: Sendable {
        let count: Mutex<Int>

        init(_ count: Int) { self.count = Mutex(count) }
    }

    init(
        _ base: any Database, after count: Int,
        beside: @escaping @Sendable () async throws -> Void = {}
    ) {
        self.base = base
        left = Left(count)
        self.beside = beside
    }

    var enqueued: Wake { base.enqueued }

    func close() {}

    func read<Value: Sendable>(
        _ body: @escaping @Sendable (any Connection) throws(Problem) -> Value
    ) async throws(Problem) -> Value { try await base.read(body) }

    func write<Value: Sendable>(
        _ body: @escaping @Sendable (any Connection) throws(Problem) -> Value
    ) async throws(Problem) -> Value {
        let isOver = left.count.withLock { count in
            count -= 1
            return count < 0
        }
        guard !isOver else { throw Problem(.unavailable, "cut") }
        do { try await beside() } catch { throw .internal(cause: "\(error)") }
        return try await base.write(body)
    }
}
