import Domain
import Glibc
import Synchronization

@testable import Store

/// The PostgreSQL server beside the tests (tools/with-postgres), and databases on it.
///
/// A database is made once and lent to one test after another, with its rows gone: that takes two
/// milliseconds, making one a hundred. There are only so many; who finds none waits.
final class PostgresServer: Sendable {
    static let shared = PostgresServer()

    struct Absent: Error, CustomStringConvertible {
        let description =
            "There is no PostgreSQL server for the tests. Run them through tools/with-postgres, "
            + "or on SQLite alone with GATEHOUSE_TEST_ENGINES=sqlite."
    }

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
        _ = try Self.url()
        let number = state.withLock { state -> Int? in
            guard state.idle.isEmpty, state.made < Self.most else { return nil }
            state.made += 1
            return state.made
        }
        if let number {
            do {
                return try Lent(url: try Self.makeDatabase("gatehouse_\(number)"))
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

    // MARK: The server

    /// Of the database that the server begins with.
    static func url() throws -> String {
        guard let url = getenv("GATEHOUSE_TEST_POSTGRES") else { throw Absent() }
        return String(cString: url)
    }

    /// The URL of a database without anything in it.
    static func makeDatabase(_ name: String) throws -> String {
        let url = try url()
        let connection = try PostgresConnection(PostgresOptions(url: url))
        try connection.run(SQL(stringLiteral: "CREATE DATABASE \(name)"))
        guard let slash = url.lastIndex(of: "/") else { throw Absent() }
        return url[...slash] + name
    }
}
