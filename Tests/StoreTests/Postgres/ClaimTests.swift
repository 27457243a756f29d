import Domain
import Testing

@testable import Store

/// A daemon's hold on a store that it shares with nobody.
@Suite("The hold on a PostgreSQL store", .enabled(if: Engine.wanted.contains(.postgres)))
struct ClaimTests {
    private static func node(_ options: PostgresOptions) throws -> PostgresStore {
        try PostgresStore(
            options, readerCount: 1, writerQueue: 64, migrates: true, isAlone: true)
    }

    @Test("A second process is refused, until the first one ends")
    func second() async throws {
        try await PostgresServer.shared.with { lent in
            let options = try PostgresOptions(url: lent.url)
            let first = try Self.node(options)
            #expect {
                try Self.node(options).close()
            } throws: { error in
                guard case .inUse(let line)? = error as? StoreRefusal else { return false }
                return line.contains("in use by another process")
            }
            first.close()
            try Self.node(options).close()
        }
    }

    @Test("A hold whose connection was cut is taken back, and writes go on")
    func cut() async throws {
        try await PostgresServer.shared.with { lent in
            let node = try Self.node(try PostgresOptions(url: lent.url))
            defer { node.close() }
            try Self.cutAll(lent.url)
            var problem: Problem?
            repeat {
                problem = await node.refusal { db throws(Problem) in
                    try db.installation.set("a", "")
                }
            } while problem != nil
            #expect {
                try Self.node(try PostgresOptions(url: lent.url)).close()
            } throws: { error in
                guard case .inUse? = error as? StoreRefusal else { return false }
                return true
            }
        }
    }

    @Test("Who loses it to another process writes nothing any more, and is told")
    func lost() async throws {
        try await PostgresServer.shared.with { lent in
            var options = try PostgresOptions(url: lent.url)
            options.timeouts.claim = .milliseconds(100)
            let former = try Self.node(options)
            defer { former.close() }
            try Self.cutAll(lent.url)
            var taken: PostgresConnection?
            repeat {
                do throws(StoreRefusal) {
                    taken = try PostgresClaim.connection(options)
                } catch {
                    // The server is still ending the session that had it.
                }
            } while taken == nil
            await former.lost?.wait()
            let problem = await former.refusal { db throws(Problem) in
                try db.installation.set("a", "")
            }
            #expect(problem?.code == .unavailable)
            #expect(try await lent.store.texts("SELECT name FROM installation") == ["held_by"])
            withExtendedLifetime(taken) {}
        }
    }

    @Test("A write looks in its own transaction whose the store is")
    func fenced() async throws {
        try await PostgresServer.shared.with { lent in
            let node = try Self.node(try PostgresOptions(url: lent.url))
            defer { node.close() }
            try await lent.store.execute(
                "UPDATE installation SET value = 'another' WHERE name = 'held_by'")
            let problem = await node.refusal { db throws(Problem) in
                try db.installation.set("a", "")
            }
            #expect(problem?.code == .unavailable)
            #expect(problem?.cause?.contains("another process has taken") == true)
        }
    }

    private static func cutAll(_ url: String) throws {
        let connection = try PostgresConnection(PostgresOptions(url: url))
        try connection.run(
            """
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid()
            """)
    }
}
