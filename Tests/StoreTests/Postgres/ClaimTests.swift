import Domain
import Testing

@testable import Store

/// A daemon's hold on a store that it shares with nobody.
@Suite("The hold on a PostgreSQL store", .enabled(if: Engine.wanted.contains(.postgres)))
struct ClaimTests {
    private static func node(
        _ options: PostgresOptions, _ hold: PostgresHold = .alone
    ) throws -> PostgresStore {
        try PostgresStore(
            options, readerCount: 1, writerQueue: 64, migrates: true, hold: hold)
    }

    private static func shared() -> PostgresHold {
        var random = SystemRandomNumberGenerator()
        return .shared(NodeName(using: &random))
    }

    /// What a process is refused with that wants the store so.
    private static func refusal(_ options: PostgresOptions, _ hold: PostgresHold) -> String? {
        do {
            try node(options, hold).close()
            return nil
        } catch {
            guard case .inUse(let line)? = error as? StoreRefusal else { return "\(error)" }
            return line
        }
    }

    @Test("Nodes and commands share it, and keep out who wants to be alone; so does that one them")
    func several() async throws {
        try await PostgresServer.shared.with { lent in
            let options = try PostgresOptions(url: lent.url)
            let nodes = [
                try Self.node(options, Self.shared()), try Self.node(options, Self.shared()),
            ]
            for (index, node) in nodes.enumerated() {
                try await node.write { db throws(Problem) in
                    try db.installation.set("a\(index)", "")
                }
            }
            #expect(Self.refusal(options, .shared(nil)) == nil)
            #expect(Self.refusal(options, .alone)?.contains("in use by another") == true)
            nodes[0].close()
            #expect(Self.refusal(options, .alone)?.contains("in use by another") == true)
            nodes[1].close()
            let alone = try Self.node(options)
            #expect(Self.refusal(options, Self.shared())?.contains("shares it with nobody") == true)
            #expect(Self.refusal(options, .shared(nil))?.contains("with nobody") == true)
            alone.close()
            #expect(Self.refusal(options, Self.shared()) == nil)
        }
    }

    @Test("A node's name is one process's, also where its data directory was copied")
    func sameName() async throws {
        try await PostgresServer.shared.with { lent in
            let options = try PostgresOptions(url: lent.url)
            let hold = Self.shared()
            let node = try Self.node(options, hold)
            #expect(Self.refusal(options, hold)?.contains("is running already") == true)
            node.close()
            #expect(Self.refusal(options, hold) == nil)
        }
    }

    @Test("A node whose connection was cut goes on, beside the others")
    func cutNode() async throws {
        try await PostgresServer.shared.with { lent in
            let options = try PostgresOptions(url: lent.url)
            let hold = Self.shared()
            let nodes = [try Self.node(options, hold), try Self.node(options, Self.shared())]
            defer { for node in nodes { node.close() } }
            try await Self.cutAndBack(lent, count: 2)
            for node in nodes { #expect(await Self.writes(node)) }
            #expect(Self.refusal(options, .alone) != nil)
            #expect(Self.refusal(options, hold) != nil)
        }
    }

    @Test("A node that was away while somebody had the store alone writes nothing, and is told")
    func takenFromNode() async throws {
        try await PostgresServer.shared.with { lent in
            var options = try PostgresOptions(url: lent.url)
            options.timeouts.claim = .milliseconds(100)
            let node = try Self.node(options, Self.shared())
            defer { node.close() }
            try Self.cutAll(lent.url)
            var alone: PostgresStore?
            repeat { alone = try? Self.node(options) } while alone == nil
            alone?.close()
            await node.lost?.wait()
            let problem = await node.refusal { db throws(Problem) in
                try db.installation.set("a", "")
            }
            #expect(problem?.code == .unavailable)
        }
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
            try await Self.cutAndBack(lent, count: 1)
            #expect(await Self.writes(node))
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
                    taken = try PostgresClaim(.alone).connection(options)
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

    /// Once the hold is back: a write may have gone through before a node noticed that it was gone.
    private static func writes(_ node: PostgresStore) async -> Bool {
        while true {
            let problem = await node.refusal { db throws(Problem) in
                try db.installation.set("a", "")
            }
            guard let problem else { return true }
            guard problem.code == .unavailable else { return false }
        }
    }

    /// Cuts every connection, and waits until so many holds are there on new ones.
    private static func cutAndBack(_ lent: PostgresServer.Lent, count: Int) async throws {
        func holders() async throws -> Set<Int64> {
            Set(
                try await lent.store.numbers(
                    """
                    SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND classid = 1195463750
                        AND granted AND database = (SELECT oid FROM pg_database
                            WHERE datname = current_database())
                    """))
        }
        let before = try await holders()
        #expect(before.count == count)
        try cutAll(lent.url)
        while true {
            // The first question may meet the cut, too.
            guard let now = try? await holders() else { continue }
            if now.count == count, now.isDisjoint(with: before) { return }
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
