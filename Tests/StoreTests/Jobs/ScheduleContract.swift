import Domain
import Store
import Testing

@Suite("Schedules in the store")
struct ScheduleContract {
    private static let start = JobQueue.start

    private static func set(
        _ name: String = "clean_up", _ spec: String = "@every 5m", next seconds: Int64,
        in db: any Database
    ) async throws {
        try await db.write { db throws(Problem) in
            try db.schedules.set(name, spec: spec, nextAt: start + .seconds(seconds))
        }
    }

    private static func list(in db: any Database) async throws -> [Schedules.Entry] {
        try await db.read { db throws(Problem) in try db.schedules.list() }
    }

    private static func due(after seconds: Int64, in db: any Database) async throws
        -> [Schedules.Due]
    {
        try await db.read { db throws(Problem) in
            try db.schedules.due(at: start + .seconds(seconds))
        }
    }

    private static func fire(
        _ due: Schedules.Due, next: Int64?, after seconds: Int64, in db: any Database
    ) async throws -> JobID? {
        try await db.write { db throws(Problem) in
            try db.schedules.fire(
                due, attemptsMax: 3, next: next.map { start + .seconds($0) },
                at: start + .seconds(seconds))
        }
    }

    @Test("Set again as it is, a schedule keeps its next time; changed, it begins anew")
    func set() async throws {
        try await withStore { db in
            try await Self.set(next: 300, in: db)
            try await Self.set("backup", "0 3 * * *", next: 900, in: db)
            try await Self.set(next: 800, in: db)
            var entries = try await Self.list(in: db)
            #expect(entries.map(\.name) == ["backup", "clean_up"])
            #expect(entries[1].nextAt == Self.start + .seconds(300))
            #expect(entries[1].lastAt == nil && entries[1].lastState == nil)
            try await Self.set("clean_up", "@every 1m", next: 60, in: db)
            entries = try await Self.list(in: db)
            #expect(entries[1].spec == "@every 1m")
            #expect(entries[1].nextAt == Self.start + .seconds(60))
            try await db.write { db throws(Problem) in try db.schedules.remove("backup") }
            #expect(try await Self.list(in: db).map(\.name) == ["clean_up"])
        }
    }

    @Test("A schedule that a wrong clock has put off to another year comes back")
    func clockRanAhead() async throws {
        try await withStore { db in
            try await Self.set(next: 5 * 365 * 86_400, in: db)
            try await Self.set(next: 300, in: db)
            let entries = try await Self.list(in: db)
            #expect(entries.map(\.nextAt) == [Self.start + .seconds(300)])
        }
    }

    @Test("A due time has one job, however many serve it at once, and the next time follows")
    func once() async throws {
        try await withStore { db in
            try await Self.set(next: 300, in: db)
            #expect(try await Self.due(after: 299, in: db).isEmpty)
            let due = try #require(try await Self.due(after: 300, in: db).first)
            let jobs = try await withThrowingTaskGroup(of: JobID?.self) { group in
                for _ in 0..<64 {
                    group.addTask { try await Self.fire(due, next: 600, after: 301, in: db) }
                }
                return try await group.reduce(into: []) { $0 += [$1].compactMap { $0 } }
            }
            #expect(jobs.count == 1)
            #expect(try await db.count("SELECT count(*) FROM jobs") == 1)
            let entry = try #require(try await Self.list(in: db).first)
            #expect(entry.nextAt == Self.start + .seconds(600))
            #expect(entry.lastAt == Self.start + .seconds(301))
            #expect(entry.lastState == .queued)
            let next = try await db.read { db throws(Problem) in
                [
                    try db.schedules.next(of: ["clean_up", "another"]),
                    try db.schedules.next(of: ["another"]),
                ]
            }
            #expect(next == [entry.nextAt, nil])
        }
    }

    @Test("While its last job waits, runs or fails, the next due time has no job of its own")
    func standsFor() async throws {
        try await withStore { db in
            let queue = JobQueue(db: db)
            try await Self.set(next: 300, in: db)
            let first = try #require(try await Self.due(after: 300, in: db).first)
            let job = try await Self.fire(first, next: 600, after: 300, in: db)
            let second = try #require(try await Self.due(after: 600, in: db).first)
            #expect(try await Self.fire(second, next: 900, after: 600, in: db) == nil)
            let entry = try #require(try await Self.list(in: db).first)
            #expect(entry.lastAt == Self.start + .seconds(600) && entry.lastState == .queued)
            let claim = try #require(try await queue.claim("clean_up", after: 600).first)
            #expect(claim.job.id == job)
            #expect(try await queue.complete(claim, after: 601))
            #expect(try await Self.list(in: db).first?.lastState == .done)
            let third = try #require(try await Self.due(after: 900, in: db).first)
            #expect(try await Self.fire(third, next: 1200, after: 900, in: db) != nil)
        }
    }

    @Test("A job whose schedule points to it is not pruned, so what became of it is known")
    func keptJob() async throws {
        try await withStore { db in
            let queue = JobQueue(db: db)
            try await Self.set(next: 300, in: db)
            let due = try #require(try await Self.due(after: 300, in: db).first)
            _ = try await Self.fire(due, next: 600, after: 300, in: db)
            try await queue.enqueue("clean_up")
            for claim in try await queue.claim("clean_up", after: 300) {
                #expect(try await queue.complete(claim, after: 301))
            }
            let pruned = try await db.write { db throws(Problem) in
                try db.jobs.prune(.done, finishedBefore: Self.start + .seconds(9999), atMost: 9)
            }
            #expect(pruned == 1)
            #expect(try await Self.list(in: db).first?.lastState == .done)
        }
    }

    @Test("What is rolled back leaves the due time as it was")
    func rolledBack() async throws {
        try await withStore { db in
            try await Self.set(next: 300, in: db)
            let due = try #require(try await Self.due(after: 300, in: db).first)
            let refusal = await db.refusal { db throws(Problem) in
                _ = try db.schedules.fire(
                    due, attemptsMax: 3, next: Self.start + .seconds(600), at: Self.start)
                throw .notFound("thing")
            }
            #expect(refusal?.code == .notFound)
            #expect(try await Self.due(after: 300, in: db) == [due])
            #expect(try await db.count("SELECT count(*) FROM jobs") == 0)
        }
    }

    @Test("A schedule without a next time ends with its last job")
    func ends() async throws {
        try await withStore { db in
            try await Self.set(next: 300, in: db)
            let due = try #require(try await Self.due(after: 300, in: db).first)
            #expect(try await Self.fire(due, next: nil, after: 300, in: db) != nil)
            #expect(try await Self.list(in: db).isEmpty)
        }
    }
}
