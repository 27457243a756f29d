import Domain
import Support
import Synchronization
import Testing

@testable import Store

@Suite("The writer's queue")
struct QueueLimitTests {
    @Test("A full queue answers overloaded with a time to retry, and the unit never runs")
    func full() async throws {
        try await withSQLiteStore(writerQueue: 4) { store, _ in
            let crowd = await Crowd.write(4, to: store) { number in
                { db throws(Problem) in try db.installation.set("\(number)", "x") }
            }
            let turnedAway = try #require(crowd.turnedAway)
            #expect(turnedAway.problem.code == .overloaded)
            #expect(turnedAway.problem.retryAfter == .seconds(1))
            #expect(crowd.succeeded.count == 4)
            let kept = try await store.texts("SELECT name FROM installation")
            #expect(Set(kept) == Set(crowd.succeeded.map { "\($0)" }))
            #expect(!kept.contains("\(turnedAway.number)"))
        }
    }

    @Test("Closing serves what is queued, and turns away what comes after")
    func drains() throws {
        let gate = Gate()
        let rig = try WriterRig()
        rig.submit(0) { _ in gate.pass() }
        for number in 1...8 {
            rig.submit(number) { db throws(Problem) in
                try db.installation.set("\(number)", "x")
            }
        }
        rig.writer.close()
        let hasRun = Mutex(false)
        rig.submit(9) { _ in hasRun.withLock { $0 = true } }
        #expect(rig.problem(9)?.code == .unavailable)
        gate.open()
        rig.finish()
        #expect(rig.succeeded == Set(0...8))
        #expect(!hasRun.withLock { $0 })
    }

    @Test("After close nothing is acknowledged: neither a write nor a read")
    func closed() async throws {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/gatehouse.db"
        let store = try SQLiteStore(file: path)
        try await store.execute("INSERT INTO installation VALUES ('a', '1')")
        store.close()
        let write = await store.refusal { db throws(Problem) in
            try db.installation.set("b", "2")
        }
        #expect(write?.code == .unavailable)
        await #expect {
            _ = try await store.count("SELECT count(*) FROM installation")
        } throws: {
            ($0 as? Problem)?.code == .unavailable
        }
        let again = try SQLiteStore(file: path)
        defer { again.close() }
        #expect(try await again.texts("SELECT name FROM installation") == ["a"])
        withExtendedLifetime(folder) {}
    }

    @Test("A reader's queue and the writer's are apart: reads go on while the writer stands")
    func apart() async throws {
        try await withSQLiteStore(writerQueue: 1) { store, _ in
            let gate = Gate()
            async let standing: Void = store.write { _ in gate.pass() }
            await gate.reached()
            let found = try await store.count("SELECT count(*) FROM installation")
            gate.open()
            try await standing
            #expect(found == 0)
        }
    }
}
