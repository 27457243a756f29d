import Domain
import Store
import Support
import Synchronization

/// Databases for the tests of the store.
///
/// One is made once and lent to one test after another, with its rows gone: that takes two
/// milliseconds, making one a hundred. There are only so many; who finds none waits.
final class PostgresServer: Sendable {
    static let shared = PostgresServer()

    typealias Absent = PostgresDatabase.Absent

    /// A database and a node that is on it.
    final class Lent: Sendable {
        let url: String
        let store: PostgresStore

        fileprivate init(url: String) throws {
            self.url = url
            store = try PostgresStore(url: url, readerCount: 2)
        }
    }

    private struct State {
        var idle: [Lent] = []
        var made = 0
        var waiting: [CheckedContinuation<Lent?, Never>] = []
    }

    private static let most = 6

    private let state = Mutex(State())

    func with(_ body: (Lent) async throws -> Void) async throws {
        let lent = try await borrow()
        defer { giveBack(lent) }
        try await body(lent)
    }

    /// Without rows.
    func borrow() async throws -> Lent {
        let lent = try await next()
        try await lent.store.write { db throws(Problem) in
            let tables = try db.rows(
                """
                SELECT tablename FROM pg_tables WHERE schemaname = current_schema()
                    AND tablename <> 'schema_version'
                ORDER BY tablename <> 'users', tablename
                """
            ) { row throws(Problem) in try row.text() }
            // The users first: what belongs to them goes with them.
            for table in tables { try db.execute(SQL(stringLiteral: "DELETE FROM \(table)")) }
        }
        return lent
    }

    func giveBack(_ lent: Lent) {
        let waiter = state.withLock { state -> CheckedContinuation<Lent?, Never>? in
            guard state.waiting.isEmpty else { return state.waiting.removeFirst() }
            state.idle.append(lent)
            return nil
        }
        waiter?.resume(returning: lent)
    }

    private func next() async throws -> Lent {
        _ = try PostgresDatabase.server()
        let makesOne = state.withLock { state in
            guard state.idle.isEmpty, state.made < Self.most else { return false }
            state.made += 1
            return true
        }
        if makesOne {
            do {
                return try Lent(url: PostgresDatabase.make())
            } catch {
                abandon()
                throw error
            }
        }
        let lent: Lent? = await withCheckedContinuation { continuation in
            let idle = state.withLock { state -> Lent? in
                if let lent = state.idle.popLast() { return lent }
                state.waiting.append(continuation)
                return nil
            }
            if let idle { continuation.resume(returning: idle) }
        }
        guard let lent else { throw Absent() }
        return lent
    }

    /// A database could not be made: who waits for one to come back fails too.
    private func abandon() {
        let waiting = state.withLock { state in
            state.made -= 1
            defer { state.waiting = [] }
            return state.waiting
        }
        for waiter in waiting { waiter.resume(returning: nil) }
    }
}
