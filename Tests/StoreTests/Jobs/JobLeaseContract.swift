import Domain
import Store
import Testing

@Suite("Leases of jobs")
struct JobLeaseContract {
    @Test("Who has lost a lease changes nothing any more")
    func stale() async throws {
        try await withStore { db in
            let queue = JobQueue(db: db)
            let id = try await queue.enqueue()
            let lost = try #require(try await queue.claim().first)
            #expect(try await queue.takeBack(after: 60_000) == 1)
            let held = try #require(try await queue.claim(owner: "b-1", after: 60).first)
            #expect(try await !queue.renew(lost, until: 120))
            #expect(try await !queue.complete(lost, after: 60))
            #expect(try await !queue.fail(lost, next: 60, after: 60))
            #expect(try await !queue.fail(lost, next: nil, after: 60))
            #expect(try await !queue.release(lost, after: 60))
            #expect(try await queue.find(id).state == .running)
            #expect(try await queue.complete(held, after: 60))
            #expect(try await !queue.complete(held, after: 60))
        }
    }

    @Test("A lease that is renewed runs on; one that has run out is taken back, but not one's own")
    func runsOut() async throws {
        try await withStore { db in
            let queue = JobQueue(db: db)
            try await queue.enqueue()
            try await queue.enqueue()
            let claims = try await queue.claim()
            let (renewed, left) = (claims[0], claims[1])
            func nextEnd(except kept: [JobID]) async throws -> Timestamp? {
                try await db.read { db throws(Problem) in
                    try db.jobs.nextLeaseEnd(except: kept)
                }
            }
            #expect(try await queue.renew(renewed, until: 90))
            #expect(try await nextEnd(except: []) == JobQueue.start + .seconds(60))
            #expect(try await nextEnd(except: [left.job.id]) == JobQueue.start + .seconds(90))
            #expect(try await queue.takeBack(after: 59_999) == 0)
            #expect(try await queue.takeBack(except: [left.job.id], after: 60_000) == 0)
            #expect(try await queue.takeBack(after: 60_000) == 1)
            #expect(try await queue.find(left.job.id).state == .queued)
            #expect(try await queue.find(renewed.job.id).state == .running)
            #expect(try await nextEnd(except: [renewed.job.id]) == nil)
        }
    }

    @Test("Taken back from the dead a job runs again at once, unless that was its last try")
    func takenBack() async throws {
        try await withStore { db in
            let queue = JobQueue(db: db)
            let once = try await queue.enqueue(tries: 1)
            let twice = try await queue.enqueue(tries: 2)
            let waiting = try await queue.enqueue("other")
            _ = try await queue.claim()
            #expect(try await queue.takeBack(ofEverybody: true, after: 1) == 2)
            let dead = try await queue.find(once)
            #expect(dead.state == .dead && dead.lastError == "The process ended while it ran.")
            #expect(try await queue.find(waiting).lastError == nil)
            #expect(try await queue.claim(after: 1).map(\.job.id) == [twice])
        }
    }

    @Test("Given back, a job has not used up a try")
    func released() async throws {
        try await withStore { db in
            let queue = JobQueue(db: db)
            let id = try await queue.enqueue(tries: 1)
            for number in 1...3 {
                let claim = try #require(try await queue.claim(owner: "a-\(number)").first)
                #expect(claim.job.attempts == 1)
                #expect(try await queue.release(claim))
            }
            #expect(try await queue.find(id).attempts == 0)
        }
    }
}
