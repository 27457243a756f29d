import Domain
import Synchronization
import Testing

@testable import Store

@Suite("The PostgreSQL driver", .enabled(if: Engine.wanted.contains(.postgres)))
struct PostgresStoreTests {
    /// A node of its own, with time-outs that a test can wait for.
    private static func withNode(
        readerCount: Int = 1, _ change: (inout PostgresOptions.Timeouts) -> Void = { _ in },
        _ body: (_ node: PostgresStore, _ other: PostgresConnection) async throws -> Void
    ) async throws {
        try await PostgresServer.shared.with { lent in
            var options = try PostgresOptions(url: lent.url)
            change(&options.timeouts)
            let node = try PostgresStore(
                options, readerCount: readerCount, writerQueue: 64, migrates: true)
            defer { node.close() }
            try await body(node, try PostgresConnection(options))
        }
    }

    private static func raise(_ state: String) -> SQL {
        SQL(
            stringLiteral:
                "DO $body$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '\(state)'; END $body$")
    }

    @Test(
        "A conflict is tried again, and the body runs from its beginning",
        arguments: ["40001", "40P01"])
    func conflict(state: String) async throws {
        try await Self.withNode { node, _ in
            let runs = Mutex(0)
            try await node.write { db throws(Problem) in
                let run = runs.withLock { runs in
                    runs += 1
                    return runs
                }
                try db.installation.set("run\(run)", "")
                if run < 3 { try db.execute(Self.raise(state)) }
            }
            #expect(try await node.texts("SELECT name FROM installation") == ["run3"])
            #expect(node.writerFigures.repeated == 2)
        }
    }

    @Test("A conflict that does not end is given up after six runs")
    func endless() async throws {
        try await Self.withNode { node, _ in
            let runs = Mutex(0)
            let problem = await node.refusal { db throws(Problem) in
                runs.withLock { $0 += 1 }
                try db.execute(Self.raise("40001"))
            }
            #expect(problem?.code == .unavailable)
            #expect(runs.withLock { $0 } == 6)
        }
    }

    @Test(
        "Errors are told by their code",
        arguments: [
            ("55P03", Problem.Code.unavailable), ("57014", .unavailable), ("53100", .unavailable),
            ("53200", .unavailable), ("58030", .unavailable), ("23514", .internal),
            ("42P01", .internal), ("22021", .internal),
        ])
    func codes(state: String, code: Problem.Code) async throws {
        try await Self.withNode { node, _ in
            let problem = await node.refusal { db throws(Problem) in
                try db.execute(Self.raise(state))
            }
            #expect(problem?.code == code)
            #expect(problem?.cause == "PostgreSQL \(state): no")
        }
    }

    @Test("A unit that fails does not disturb its neighbours in the same transaction")
    func neighbours() async throws {
        try await Self.withNode { node, _ in
            // The first holds the writer until the others wait behind it.
            let gate = Gate()
            async let held: Void = node.write { _ throws(Problem) in gate.pass() }
            await gate.reached()
            let outcomes = try await withThrowingTaskGroup(of: (Int, Problem.Code?).self) { group in
                for number in 0..<12 {
                    group.addTask {
                        let problem = await node.refusal { db throws(Problem) in
                            try db.installation.set("\(number)", "")
                            switch number % 4 {
                            case 0: try db.execute("SELECT nothing FROM nowhere")
                            case 1: throw Problem(.conflict, "no")
                            case 2:
                                // A failure that the body passes over is a failure all the same.
                                do { try db.execute("SELECT nothing FROM nowhere") } catch {}
                            default: break
                            }
                        }
                        return (number, problem?.code)
                    }
                }
                while node.waitingWrites < 12 { await Task.yield() }
                gate.open()
                return try await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
            }
            try await held
            for (number, code) in outcomes {
                #expect(code == [.internal, .conflict, .internal, nil][number % 4], "\(number)")
            }
            let kept = try await node.texts("SELECT name FROM installation ORDER BY name")
            #expect(kept == ["11", "3", "7"])
            #expect(node.writerFigures.largestGroup == 12)
        }
    }

    @Test("Connections that were cut while idle are made anew, and nobody notices")
    func cutWhileIdle() async throws {
        try await Self.withNode { node, other in
            try await node.execute("INSERT INTO installation VALUES ('a', '')")
            #expect(try await node.count("SELECT count(*) FROM installation") == 1)
            try Self.cutOthers(other)
            try await node.execute("INSERT INTO installation VALUES ('b', '')")
            #expect(try await node.count("SELECT count(*) FROM installation") == 2)
        }
    }

    /// Ends every session of this database but this one and those of the store that is lent.
    private static func cutOthers(_ other: PostgresConnection) throws {
        try other.run(
            """
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid()
            """)
    }

    @Test("A connection that is cut inside a unit runs it once more, and its work is there once")
    func cutInside() async throws {
        try await Self.withNode { node, _ in
            let runs = Mutex(0)
            try await node.write { db throws(Problem) in
                let run = runs.withLock { runs in
                    runs += 1
                    return runs
                }
                try db.installation.set("run\(run)", "")
                // Its own session, and so in the midst of a statement.
                if run == 1 { try db.execute("SELECT pg_terminate_backend(pg_backend_pid())") }
            }
            #expect(try await node.texts("SELECT name FROM installation") == ["run2"])
            #expect(runs.withLock { $0 } == 2)
        }
    }

    @Test("A statement that runs for too long ends, and the next one runs")
    func statementTimeout() async throws {
        try await Self.withNode {
            $0.statement = .milliseconds(100)
        } _: { node, _ in
            let problem = await node.refusal { db throws(Problem) in
                try db.execute("SELECT pg_sleep(60)")
            }
            #expect(problem?.code == .unavailable)
            #expect(problem?.detail == "The store took too long.")
            let read: Problem?
            do throws(Problem) {
                _ = try await node.read { db throws(Problem) in
                    try db.execute("SELECT pg_sleep(60)")
                }
                read = nil
            } catch {
                read = error
            }
            #expect(read?.detail == "The store took too long.")
            try await node.execute("INSERT INTO installation VALUES ('a', '')")
            #expect(try await node.count("SELECT count(*) FROM installation") == 1)
        }
    }

    @Test("Who waits too long for a turn is told that the store is busy")
    func lockTimeout() async throws {
        try await Self.withNode {
            $0.lock = .milliseconds(100)
        } _: { node, other in
            _ = try other.beginWriting()
            let problem = await node.refusal { db throws(Problem) in
                try db.installation.set("a", "")
            }
            #expect(problem?.detail == "The store is busy.")
            other.rollBack()
            try await node.execute("INSERT INTO installation VALUES ('a', '')")
        }
    }

    @Test("A node that holds its turn and does nothing loses it")
    func idleTimeout() async throws {
        try await Self.withNode {
            $0.idle = .milliseconds(200)
        } _: { node, other in
            _ = try other.beginWriting()
            try await node.execute("INSERT INTO installation VALUES ('a', '')")
            #expect(throws: PostgresError.self) { try other.commit() }
            #expect(other.isLost)
        }
    }

    @Test("A read is one snapshot, and writes nothing")
    func snapshot() async throws {
        try await Self.withNode { node, other in
            let gate = Gate()
            async let counts = node.read { db throws(Problem) in
                let before = try db.count("SELECT count(*) FROM installation")
                gate.pass()
                return [before, try db.count("SELECT count(*) FROM installation")]
            }
            await gate.reached()
            try other.run("INSERT INTO installation VALUES ('a', '')")
            gate.open()
            #expect(try await counts == [0, 0])
            await #expect(throws: Problem.self) {
                try await node.read { db throws(Problem) in
                    try db.execute("DELETE FROM installation")
                }
            }
            #expect(try await node.count("SELECT count(*) FROM installation") == 1)
        }
    }

    @Test("Many rows at once are written in their order, and one that fails fails them all")
    func each() async throws {
        try await Self.withNode { node, _ in
            let rows: [[SQL.Value]] = (0..<1234).map { [.text("a"), .text(String($0))] }
            let upsert: SQL = """
                INSERT INTO installation (name, value) VALUES ($1, $2)
                ON CONFLICT (name) DO UPDATE SET value = installation.value || excluded.value
                """
            try await node.write { db throws(Problem) in try db.execute(upsert, each: rows) }
            let all = rows.indices.map(String.init).joined()
            #expect(try await node.texts("SELECT value FROM installation") == [all])
            let problem = await node.refusal { db throws(Problem) in
                try db.execute(upsert, each: rows.dropLast() + [[.text("a"), .null]])
            }
            #expect(problem?.cause?.hasPrefix("PostgreSQL 23502:") == true)
            #expect(try await node.texts("SELECT value FROM installation") == [all])
        }
    }
}
