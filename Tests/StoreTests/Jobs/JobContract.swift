import Domain
import Store
import Testing

@Suite("Jobs")
struct JobContract {
    @Test("A job comes back as it was enqueued, and once claimed belongs to its claimer")
    func roundTrip() async throws {
        try await withStore { db in
            let queue = JobQueue(db: db)
            let payload = JSON.object([JSON.Member("to", .string("a@example.com"))])
            let id = try await queue.enqueue("mail", payload)
            let waiting = try await queue.find(id)
            #expect(waiting.state == .queued && waiting.attempts == 0 && waiting.attemptsMax == 3)
            #expect(waiting.runAt == JobQueue.start && waiting.createdAt == JobQueue.start)
            let claims = try await queue.claim()
            #expect(claims.map(\.job.id) == [waiting.id])
            #expect(claims.first?.payload == payload)
            #expect(claims.first?.job.attempts == 1)
            #expect(try await queue.find(id).state == .running)
            #expect(try await queue.claim().isEmpty)
        }
    }

    @Test("What is rolled back was never enqueued")
    func rolledBack() async throws {
        try await withStore { db in
            let refusal = await db.refusal { db throws(Problem) in
                _ = try db.jobs.enqueue(
                    "mail", payload: .object([]), attemptsMax: 3, at: JobQueue.start)
                throw .notFound("thing")
            }
            let claims = try await JobQueue(db: db).claim()
            #expect(refusal?.code == .notFound && claims.isEmpty)
        }
    }

    @Test("A payload past its bound is refused")
    func payloadMax() async throws {
        try await withStore { db in
            let queue = JobQueue(db: db)
            let quotes = 2
            let most = String(repeating: "x", count: Jobs.payloadMax - quotes)
            try await queue.enqueue("mail", .string(most))
            await #expect(throws: Problem.self) {
                try await queue.enqueue("mail", .string(most + "x"))
            }
        }
    }

    @Test("A payload that cannot be read holds up no other job")
    func damagedPayload() async throws {
        try await withStore { db in
            let queue = JobQueue(db: db)
            try await queue.enqueue()
            try await queue.enqueue("mail", .integer(7))
            try await db.execute(
                "UPDATE jobs SET payload_json = '{' WHERE payload_json = '{}'")
            let claims = try await queue.claim()
            #expect(claims.count == 2 && claims.contains { $0.payload == .null })
            #expect(claims.contains { $0.payload == .integer(7) })
        }
    }

    @Test("Of 64 who claim at once, each job has one claimer")
    func concurrent() async throws {
        try await withStore { db in
            let queue = JobQueue(db: db)
            for _ in 0..<40 { try await queue.enqueue() }
            let ids = try await withThrowingTaskGroup(of: [JobID].self) { group in
                for number in 0..<64 {
                    group.addTask {
                        try await queue.claim(atMost: 3, owner: "o-\(number)").map(\.job.id)
                    }
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            #expect(ids.count == 40 && Set(ids).count == 40)
        }
    }

    @Test("What is due comes the longest waiting first, of its kind alone, and no more than asked")
    func order() async throws {
        try await withStore { db in
            let queue = JobQueue(db: db)
            let late = try await queue.enqueue(in: 20)
            let early = try await queue.enqueue(in: 10)
            let future = try await queue.enqueue(in: 40)
            try await queue.enqueue("clean_up", in: 0)
            #expect(try await queue.claim(after: 9).isEmpty)
            let first = try await queue.claim(atMost: 1, after: 30).map(\.job.id)
            let rest = try await queue.claim(after: 30).map(\.job.id)
            #expect(first == [early] && rest == [late])
            let next = try await db.read { db throws(Problem) in
                (try db.jobs.nextRun(of: "mail"), try db.jobs.nextRun(of: "other"))
            }
            #expect(next.0 == JobQueue.start + .seconds(40) && next.1 == nil)
            #expect(try await queue.claim(after: 40).map(\.job.id) == [future])
        }
    }

    @Test("While a job with its key waits or runs there is no second one, and then there may be")
    func unique() async throws {
        try await withStore { db in
            let queue = JobQueue(db: db)
            #expect(try await queue.enqueue(key: "a") != nil)
            #expect(try await queue.enqueue(key: "a") == nil)
            #expect(try await queue.enqueue(key: "b", in: 1) != nil)
            let claim = try #require(try await queue.claim(atMost: 1).first)
            #expect(try await queue.enqueue(key: "a") == nil)
            #expect(try await queue.complete(claim))
            #expect(try await queue.enqueue(key: "a") != nil)
        }
    }

    @Test("Done, a job keeps its row and loses what it was given")
    func done() async throws {
        try await withStore { db in
            let queue = JobQueue(db: db)
            let secret = JSON.object([JSON.Member("token", .string("secret"))])
            let id = try await queue.enqueue("mail", secret)
            let claim = try #require(try await queue.claim().first)
            #expect(try await queue.complete(claim, after: 1))
            let job = try await queue.find(id)
            #expect(job.state == .done && job.finishedAt == JobQueue.start + .seconds(1))
            #expect(try await db.texts("SELECT payload_json FROM jobs") == ["{}"])
        }
    }

    @Test("A try that failed waits for the next one; dead, a job keeps its payload for a retry")
    func failed() async throws {
        try await withStore { db in
            let queue = JobQueue(db: db)
            let payload = JSON.object([JSON.Member("a", .integer(1))])
            let id = try await queue.enqueue("mail", payload)
            let first = try #require(try await queue.claim().first)
            #expect(try await queue.fail(first, "no answer", next: 30))
            let waiting = try await queue.find(id)
            #expect(waiting.state == .queued && waiting.runAt == JobQueue.start + .seconds(30))
            #expect(waiting.lastError == "no answer" && waiting.attempts == 1)
            #expect(try await queue.claim(after: 29).isEmpty)
            let second = try #require(try await queue.claim(after: 30).first)
            #expect(second.job.attempts == 2 && second.payload == payload)
            #expect(try await queue.fail(second, "gone", next: nil, after: 31))
            let dead = try await queue.find(id)
            #expect(dead.state == .dead && dead.lastError == "gone")
            #expect(dead.finishedAt == JobQueue.start + .seconds(31))
            #expect(try await queue.claim(after: 9999).isEmpty)
            #expect(try await queue.retry(id, after: 40)?.attempts == 0)
            #expect(try await queue.claim(after: 40).first?.payload == payload)
        }
    }
}
