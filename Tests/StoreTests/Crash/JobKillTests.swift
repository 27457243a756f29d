import Domain
import Glibc
import Support
import Synchronization
import Testing

@testable import Store

@Suite("Jobs and kill -9")
struct JobKillTests {
    /// Seconds between two due times.
    private static let period: Int64 = 60
    private static let start = JobQueue.start

    /// The child's part: serves each due time, claims what there is and ends it, until it is killed
    /// at any point of the writer's work after so many transactions.
    private static func serve(_ path: String, units limit: Int) async throws {
        let store = try SQLiteStore(file: path)
        let killer = WorkThread(name: "killer") {
            while store.writerFigures.units < limit { sched_yield() }
            kill(getpid(), SIGKILL)
        }
        guard killer != nil else { throw TemporaryFolder.Failure(what: "no thread") }
        _ = try await store.write { db throws(Problem) in
            try db.jobs.takeBack(ofEverybody: true, at: start)
        }
        while true {
            let claims = try await store.write { db throws(Problem) in
                try db.jobs.claim(
                    "work", atMost: 10, owner: "\(getpid())", until: start, at: .distantFuture)
            }
            for claim in claims {
                _ = try await store.write { db throws(Problem) in
                    try db.jobs.complete(claim, at: start)
                }
            }
            // After that: while a job lives, it stands for the next due time too.
            try await store.write { db throws(Problem) in
                guard let next = try db.schedules.next(of: ["work"]) else { return }
                for due in try db.schedules.due(at: next) {
                    _ = try db.schedules.fire(
                        due, attemptsMax: 1_000_000, next: next + .seconds(period), at: next)
                }
            }
        }
    }

    @Test(
        "Whenever it is killed, each due time has one job, and each job is there until it is done")
    func killed() async throws {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/gatehouse.db"
        var random = SplitMix64(seed: 11)
        var done: Int64 = 0
        let fresh = try SQLiteStore(file: path)
        try await fresh.write { db throws(Problem) in
            try db.schedules.set(
                "work", spec: "@every 1m", nextAt: Self.start + .seconds(Self.period))
        }
        fresh.close()
        for _ in 0..<6 {
            let limit = Int(random.int(5...120))
            await #expect(processExitsWith: .signal(SIGKILL)) {
                [path = path as String, limit = limit as Int] in
                try await Self.serve(path, units: limit)
            }
            let store = try SQLiteStore(file: path)
            let next = try await store.count("SELECT next_at FROM schedules")
            let served = (Timestamp(milliseconds: next) - Self.start).wholeMilliseconds
            let dueTimes = served / (Self.period * 1000) - 1
            #expect(try await store.count("SELECT count(*) FROM jobs") == dueTimes)
            let ended = try await store.count("SELECT count(*) FROM jobs WHERE state = 'done'")
            #expect(ended >= done && dueTimes - ended <= 1)
            done = ended
            store.close()
        }
        #expect(done > 0)
        withExtendedLifetime(folder) {}
    }
}

extension Timestamp {
    fileprivate static let distantFuture = Timestamp(milliseconds: 253_402_300_799_999)
}
