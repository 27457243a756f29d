import Domain
import Testing

@testable import Store

@Suite("Group commit")
struct GroupCommitTests {
    @Test("64 writers at once share one commit")
    func shared() async throws {
        try await withSQLiteStore(writerQueue: 64) { store, _ in
            let before = store.writerFigures
            let crowd = await Crowd.write(64, to: store) { number in
                { db throws(Problem) in try db.installation.set("\(number)", "x") }
            }
            let after = store.writerFigures
            #expect(crowd.succeeded.count == 64)
            // One for the unit at the gate, one for everybody behind it.
            #expect(after.commits - before.commits == 2)
            #expect(after.units - before.units == 65)
            #expect(after.largestGroup == 64)
            let rows = try await store.count("SELECT count(*) FROM installation")
            #expect(rows == 64)
        }
    }

    @Test("Every failure is its own: the neighbours in its commit are kept")
    func ownFailures() async throws {
        try await withSQLiteStore(writerQueue: 64) { store, _ in
            let crowd = await Crowd.write(64, to: store) { number in
                { db throws(Problem) in
                    try db.installation.set("\(number)", "x")
                    if number % 3 == 0 { throw .notFound("thing") }
                    if number % 3 == 1 {
                        try db.execute("INSERT INTO installation VALUES (\("\(number)"), 'y')")
                    }
                }
            }
            #expect(store.writerFigures.largestGroup == 64)
            for (number, problem) in crowd.answers {
                switch number % 3 {
                case 0: #expect(problem?.code == .notFound)
                case 1: #expect(problem?.cause?.hasPrefix("SQLite 1555:") == true)
                default: #expect(problem == nil)
                }
            }
            let kept = try await store.texts("SELECT name FROM installation ORDER BY name")
            #expect(Set(kept) == Set(crowd.succeeded.map { "\($0)" }))
            #expect(crowd.succeeded.count > 20)
        }
    }

    @Test("A unit that throws leaves nothing behind, even after several statements")
    func nothingBehind() async throws {
        try await withSQLiteStore { store, _ in
            try await store.execute("INSERT INTO installation VALUES ('a', '1'), ('b', '1')")
            let problem = await store.refusal { db throws(Problem) in
                try db.installation.set("c", "2")
                try db.installation.set("a", "2")
                try db.execute("DELETE FROM installation WHERE name = 'b'")
                throw .notFound("thing")
            }
            #expect(problem?.code == .notFound)
            let rows = try await store.texts(
                "SELECT name || value FROM installation ORDER BY name")
            #expect(rows == ["a1", "b1"])
        }
    }

    @Test("A unit sees what it wrote itself, and a reader does not until the commit")
    func isolation() async throws {
        try await withSQLiteStore { store, _ in
            let gate = Gate()
            async let own = store.write { db throws(Problem) in
                try db.installation.set("a", "1")
                gate.pass()
                return try db.installation.value("a")
            }
            await gate.reached()
            let seen = try await store.texts("SELECT value FROM installation")
            gate.open()
            #expect(seen.isEmpty)
            #expect(try await own == "1")
            #expect(try await store.texts("SELECT value FROM installation") == ["1"])
        }
    }

    @Test("A group has a bound: 256 units")
    func bound() throws {
        let gate = Gate()
        let rig = try WriterRig()
        rig.submit(0) { _ in gate.pass() }
        for number in 1...600 {
            rig.submit(number) { db throws(Problem) in
                try db.installation.set("\(number)", "x")
            }
        }
        gate.open()
        rig.finish()
        #expect(rig.writer.current.largestGroup == 256)
        #expect(rig.succeeded.count == 601)
    }

    @Test("Units run in the order in which they came")
    func order() throws {
        let rig = try WriterRig()
        for number in 1...300 {
            rig.submit(number) { db throws(Problem) in
                let last = try db.count("SELECT count(*) FROM installation")
                guard last == number - 1 else { throw .internal(cause: "\(number) after \(last)") }
                try db.installation.set("\(number)", "x")
            }
        }
        rig.finish()
        #expect(rig.succeeded == Set(1...300))
    }
}
