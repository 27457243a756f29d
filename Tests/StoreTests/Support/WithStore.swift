import Domain
import Store
import Support

/// A fresh store for one test, of each engine in turn. What runs inside sees a `Database` and
/// nothing of the engine.
func withStore(_ body: (any Database) async throws -> Void) async throws {
    for engine in Engine.wanted {
        try await Engine.$current.withValue(engine) {
            switch engine {
            case .sqlite: try await withSQLiteStore { store, _ in try await body(store) }
            case .postgres:
                try await PostgresServer.shared.with { lent in try await body(lent.store) }
            }
        }
    }
}

/// On SQLite alone, with what only it has, and the path of its file.
func withSQLiteStore(
    readerCount: Int = 2, writerQueue: Int = SQLiteStore.writerQueueDefault,
    _ body: (_ store: SQLiteStore, _ path: String) async throws -> Void
) async throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/gatehouse.db"
    let store = try SQLiteStore(
        file: path, readerCount: readerCount, writerQueue: writerQueue)
    defer {
        store.close()
        withExtendedLifetime(folder) {}
    }
    try await body(store, path)
}

extension Database {
    /// The single number of a query.
    func count(_ sql: SQL) async throws -> Int64 {
        try await read { db throws(Problem) in try db.count(sql) }
    }

    /// The first column of every row.
    func texts(_ sql: SQL) async throws -> [String] {
        try await read { db throws(Problem) in
            try db.rows(sql) { row throws(Problem) in try row.text() }
        }
    }

    /// The same of a column of numbers.
    func numbers(_ sql: SQL) async throws -> [Int64] {
        try await read { db throws(Problem) in
            try db.rows(sql) { row throws(Problem) in try row.integer() }
        }
    }

    @discardableResult
    func execute(_ sql: SQL) async throws -> Int {
        try await write { db throws(Problem) in try db.execute(sql) }
    }

    /// The problem that a write ends with; nil when it succeeds.
    func refusal<Value: Sendable>(
        _ body: @escaping @Sendable (any Connection) throws(Problem) -> Value
    ) async -> Problem? {
        do throws(Problem) {
            _ = try await write(body)
            return nil
        } catch {
            return error
        }
    }
}
