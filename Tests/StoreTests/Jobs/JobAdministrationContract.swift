import Domain
import Store
import Testing

@Suite("Jobs as administrators see them")
struct JobAdministrationContract {
    @Test("They are listed the newest first, by kind and by state, a page at a time")
    func list() async throws {
        try await withStore { db in
            let queue = JobQueue(db: db)
            for _ in 0..<3 { try await queue.enqueue("mail") }
            try await queue.enqueue("clean_up")
            let claim = try #require(try await queue.claim(atMost: 1).first)
            #expect(try await queue.fail(claim, next: nil))
            let all = try await queue.list()
            #expect(all.count == 4 && all.map(\.id) == all.map(\.id).sorted(by: >))
            #expect(try await queue.list(.init(kind: "clean_up")).map(\.kind) == ["clean_up"])
            #expect(try await queue.list(.init(state: .dead)).map(\.id) == [claim.job.id])
            #expect(try await queue.list(.init(kind: "mail", state: .queued)).count == 2)
            #expect(try await queue.list(.init(kind: "clean_up", state: .dead)).isEmpty)
            let first = try await queue.list(.init(), Page(limit: 3))
            let rest = try await queue.list(
                .init(), Page(limit: 3, before: first.last?.id.description))
            #expect((first + rest) == all)
        }
    }

    @Test("What is dead or waits for a later time is run now, with all its tries before it")
    func retry() async throws {
        try await withStore { db in
            let queue = JobQueue(db: db)
            let dead = try await queue.enqueue(tries: 1)
            let claim = try #require(try await queue.claim().first)
            #expect(try await queue.fail(claim, next: nil))
            let later = try await queue.enqueue(in: 600)
            for id in [dead, later] {
                let job = try #require(try await queue.retry(id, after: 5))
                #expect(job.id == id && job.state == .queued && job.attempts == 0)
                #expect(job.runAt == JobQueue.start + .seconds(5) && job.finishedAt == nil)
            }
            #expect(Set(try await queue.claim(after: 5).map(\.job.id)) == [dead, later])
        }
    }

    @Test("What is due, runs, is done or is not there cannot be retried")
    func notRetried() async throws {
        try await withStore { db in
            let queue = JobQueue(db: db)
            let id = try await queue.enqueue()
            #expect(try await queue.retry(id) == nil)
            let claim = try #require(try await queue.claim().first)
            #expect(try await queue.retry(id, after: 1) == nil)
            #expect(try await queue.complete(claim))
            #expect(try await queue.retry(id, after: 1) == nil)
            var sample = Sample()
            #expect(try await queue.retry(sample.id()) == nil)
        }
    }

    @Test("A dead one whose key another has taken over stays dead while that one lives")
    func keyTaken() async throws {
        try await withStore { db in
            let queue = JobQueue(db: db)
            let dead = try await queue.enqueue(key: "a")
            let first = try #require(try await queue.claim().first)
            #expect(try await queue.fail(first, next: nil))
            try await queue.enqueue(key: "a")
            #expect(try await queue.retry(dead, after: 1) == nil)
            let second = try #require(try await queue.claim().first)
            #expect(try await queue.complete(second))
            #expect(try await queue.retry(dead, after: 1) != nil)
        }
    }

    @Test("What waits, runs and is dead is counted by kind")
    func counts() async throws {
        try await withStore { db in
            let queue = JobQueue(db: db)
            for kind in ["mail", "mail", "mail", "mail", "clean_up"] {
                try await queue.enqueue(kind)
            }
            let claims = try await queue.claim(atMost: 3)
            #expect(try await queue.complete(claims[0]))
            #expect(try await queue.fail(claims[1], next: nil))
            let counts = try await db.read { db throws(Problem) in try db.jobs.counts() }
            #expect(
                counts == [
                    Jobs.Count(kind: "clean_up", state: .queued, count: 1),
                    Jobs.Count(kind: "mail", state: .dead, count: 1),
                    Jobs.Count(kind: "mail", state: .queued, count: 1),
                    Jobs.Count(kind: "mail", state: .running, count: 1),
                ])
        }
    }

    @Test("Pruning takes what finished before the moment in that state, and no more than asked")
    func prune() async throws {
        try await withStore { db in
            let queue = JobQueue(db: db)
            for _ in 0..<6 { try await queue.enqueue() }
            let claims = try await queue.claim()
            for (number, claim) in claims.prefix(4).enumerated() {
                #expect(try await queue.complete(claim, after: Int64(number)))
            }
            #expect(try await queue.fail(claims[4], next: nil))
            func prune(_ state: Job.State, before seconds: Int64, _ most: Int) async throws -> Int {
                try await db.write { db throws(Problem) in
                    try db.jobs.prune(
                        state, finishedBefore: JobQueue.start + .seconds(seconds), atMost: most)
                }
            }
            #expect(try await prune(.done, before: 3, 2) == 2)
            #expect(try await prune(.done, before: 3, 2) == 1)
            #expect(try await prune(.done, before: 3, 2) == 0)
            #expect(try await prune(.dead, before: 0, 2) == 0)
            #expect(try await prune(.dead, before: 1, 2) == 1)
            #expect(
                Set(try await queue.list().map(\.id)) == [claims[3].job.id, claims[5].job.id])
        }
    }
}
