import Domain
import Glibc
import Testing

@testable import Store

/// Behind PgBouncer in transaction mode the next transaction may be another server's: what is kept
/// in a session is lost, or worse, another's. Its Debian version knows no prepared statements.
@Suite("PostgreSQL behind a pooler", .enabled(if: Engine.wanted.contains(.postgres)))
struct PoolerTests {
    private static func withNodes(
        _ body: ([PostgresStore]) async throws -> Void
    ) async throws {
        try await PostgresServer.shared.with { lent in
            guard let pooler = getenv("GATEHOUSE_TEST_PGBOUNCER") else {
                throw PostgresServer.Absent()
            }
            let name = try #require(lent.url.split(separator: "/").last)
            let url = String(cString: pooler).dropLast("postgres".count) + name
            let nodes = try (0..<3).map { _ in try PostgresStore(url: String(url), readerCount: 2) }
            defer { for node in nodes { node.close() } }
            try await body(nodes)
        }
    }

    @Test("It is noticed, and what was written is read, through whichever server")
    func roundTrips() async throws {
        try await Self.withNodes { nodes in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<60 {
                    group.addTask {
                        let node = nodes[number % nodes.count]
                        var sample = Sample(seed: UInt64(number))
                        let account = sample.account("\(number)@example.com")
                        try await node.insert(account)
                        let now = sample.now
                        try await node.write { db throws(Problem) in
                            try db.audit.append(
                                AuditEvent(action: "a", actor: .shell, target: "b"), at: now)
                        }
                        let found = try await nodes[(number + 1) % nodes.count].read {
                            db throws(Problem) in try db.accounts.find(account.email)
                        }
                        #expect(found == account)
                    }
                }
                try await group.waitForAll()
            }
            let walk = try await nodes[0].read { db throws(Problem) in
                var walk = AuditWalk()
                while !walk.isOver { try walk.step(db) }
                return walk
            }
            #expect(walk.broken == nil)
            #expect(walk.rows == 60)
        }
    }

    @Test("Every statement of the store runs there")
    func statements() async throws {
        try await Self.withNodes { nodes in
            try await nodes[0].write { db throws(Problem) in
                for (_, body) in QueryCalls().all { try body(db) }
            }
        }
    }

    @Test("The time-outs are those of the transaction, and nobody's after it")
    func settings() async throws {
        try await Self.withNodes { nodes in
            let timeouts = try await nodes[0].read { db throws(Problem) in
                try db.rows("SELECT current_setting('statement_timeout')") {
                    row throws(Problem) in try row.text()
                }
            }
            #expect(timeouts == ["5s"])
            let url = try #require(getenv("GATEHOUSE_TEST_PGBOUNCER"))
            let plain = try PostgresConnection(PostgresOptions(url: String(cString: url)))
            let after = try plain.text("SELECT current_setting('statement_timeout')")
            #expect(after == "0")
        }
    }
}
