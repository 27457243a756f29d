import Domain
import Testing

@testable import Store

@Suite("A transaction that is lost")
struct LostCommitTests {
    /// A row whose user does not exist, held against the rule only at the commit.
    private static func orphan(_ number: Int, _ db: any Connection) throws(Problem) {
        try db.execute("PRAGMA defer_foreign_keys = ON")
        var sample = Sample(seed: UInt64(number))
        try db.sessions.insert(sample.session(of: sample.id()))
    }

    @Test("A commit that fails, fails every unit of its group and leaves nothing")
    func failedCommit() async throws {
        try await withSQLiteStore(writerQueue: 8) { store, _ in
            let crowd = await Crowd.write(8, to: store) { number in
                { db throws(Problem) in
                    try db.installation.set("\(number)", "x")
                    if number % 4 == 0 { try Self.orphan(number, db) }
                    if number % 4 == 1 { throw .notFound("thing") }
                }
            }
            #expect(store.writerFigures.failed == 8)
            for (number, problem) in crowd.answers {
                // A unit that had failed by itself keeps its own reason; 787 is a foreign key.
                if number % 4 == 1 {
                    #expect(problem?.code == .notFound)
                } else {
                    #expect(problem?.code == .internal)
                    #expect(problem?.cause?.hasPrefix("SQLite 787:") == true)
                }
            }
            let rows = try await store.count("SELECT count(*) FROM installation")
            let sessions = try await store.count("SELECT count(*) FROM sessions")
            #expect(rows == 0 && sessions == 0)
        }
    }

    @Test("After a commit that failed the writer goes on")
    func goesOn() async throws {
        try await withSQLiteStore { store, _ in
            let problem = await store.refusal { db throws(Problem) in try Self.orphan(1, db) }
            #expect(problem?.code == .internal)
            try await store.execute("INSERT INTO installation VALUES ('a', '1')")
            #expect(try await store.count("SELECT count(*) FROM installation") == 1)
            let strict = await store.refusal { db throws(Problem) in
                var sample = Sample()
                try db.sessions.insert(sample.session(of: sample.id()))
            }
            #expect(strict?.cause?.hasPrefix("SQLite 787:") == true)
        }
    }

    @Test("A unit that rolls everything back fails its group, those before and after it too")
    func rolledBack() async throws {
        let gate = Gate()
        let rig = try WriterRig()
        rig.submit(0) { _ in gate.pass() }
        await gate.reached()
        for number in 1...5 {
            rig.submit(number) { db throws(Problem) in
                try db.installation.set("\(number)", "x")
                guard number == 3 else { return }
                try db.execute("INSERT OR ROLLBACK INTO installation VALUES ('3', 'y')")
            }
        }
        gate.open()
        rig.finish()
        #expect(rig.succeeded == [0])
        for number in 1...5 {
            #expect(rig.problem(number)?.cause?.hasPrefix("SQLite 1555:") == true, "unit \(number)")
        }
        let reader = try SQLiteFile.openReader(rig.path)
        #expect(try reader.count("SELECT count(*) FROM installation") == 0)
    }

    @Test("What a unit writes after the transaction was lost beneath it is not kept")
    func swallowed() async throws {
        try await withSQLiteStore { store, _ in
            try await store.execute("INSERT INTO installation VALUES ('a', '1')")
            let problem = await store.refusal { db throws(Problem) in
                do throws(Problem) {
                    try db.execute("INSERT OR ROLLBACK INTO installation VALUES ('a', '2')")
                } catch {}
                try db.installation.set("b", "2")
            }
            #expect(problem != nil)
            #expect(try await store.texts("SELECT name FROM installation") == ["a"])
        }
    }

    @Test("A full disk is unavailable, loses the unit, and passes")
    func fullDisk() async throws {
        try await withSQLiteStore { store, _ in
            try await store.execute("INSERT INTO installation VALUES ('a', '1')")
            let pages = try await store.count("SELECT page_count FROM pragma_page_count()")
            try await store.execute(
                SQL(stringLiteral: "PRAGMA max_page_count = \(pages + 2)"))
            let large = String(repeating: "x", count: 100_000)
            let problem = await store.refusal { db throws(Problem) in
                try db.installation.set("b", "1")
                try db.installation.set("c", large)
            }
            #expect(problem?.code == .unavailable)
            #expect(problem?.detail == "The store's disk is full.")
            #expect(try await store.texts("SELECT name FROM installation") == ["a"])
            try await store.execute("PRAGMA max_page_count = 1000000")
            try await store.write { db throws(Problem) in try db.installation.set("c", large) }
            #expect(try await store.count("SELECT count(*) FROM installation") == 2)
        }
    }
}
