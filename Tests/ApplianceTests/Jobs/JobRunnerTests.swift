import Domain
import Store
import Support
import Synchronization
import Testing

@testable import Appliance

@Suite("The job runner", .timeLimit(.minutes(2)))
struct JobRunnerTests {
    @Test("What is enqueued runs at once, with what it was given, and is done")
    func atOnce() async throws {
        let ran = Signal()
        let handler = JobHandler(.sample()) { run throws(Problem) in
            ran.send(run.payload.number * 10 + run.attempt)
            return .done
        }
        try await RunnerRig.run([handler]) { rig async throws in
            let id = try await rig.enqueue(.sample(), 7)
            #expect(await ran.next() == 71)
            let job = try await rig.job(id) { $0.state == .done }
            #expect(job.finishedAt == rig.clock.now)
        }
    }

    @Test("What is enqueued for later runs when its time has come")
    func later() async throws {
        let ran = Signal()
        let handler = JobHandler(.sample()) { run throws(Problem) in
            ran.send(run.now.milliseconds)
            return .done
        }
        try await RunnerRig.run([handler]) { rig async throws in
            let id = try await rig.enqueue(.sample(), in: .seconds(3600))
            rig.clock.advance(.seconds(3599))
            try await rig.enqueue(.sample())
            #expect(await ran.next() == rig.clock.now.milliseconds)
            #expect(try await rig.job(id).state == .queued)
            rig.clock.advance(.seconds(1))
            #expect(await ran.next() == rig.clock.now.milliseconds)
            _ = try await rig.job(id) { $0.state == .done }
        }
    }

    @Test("A job that fails is tried again after a wait, and after its last try it is dead")
    func retries() async throws {
        let handler = JobHandler(.sample()) { _ throws(Problem) in
            var problem = Problem(.unavailable, "The mail server is away.")
            problem.cause = "a secret"
            throw problem
        }
        try await RunnerRig.run([handler]) { rig async throws in
            let id = try await rig.enqueue(.sample())
            for attempt in Int64(1)...2 {
                let job = try await rig.job(id) { $0.state == .queued && $0.attempts == attempt }
                #expect(job.lastError == "unavailable: The mail server is away.")
                let wait = job.runAt - rig.clock.now
                #expect(wait >= .zero && wait <= .seconds(10) * Int(attempt))
                rig.clock.advance(.seconds(30))
            }
            let dead = try await rig.job(id) { $0.state == .dead }
            #expect(dead.attempts == 3 && dead.finishedAt != nil)
            rig.clock.advance(.seconds(86_400))
            #expect(try await rig.job(id) == dead)
        }
    }

    @Test("It waits as long as the other side asks for")
    func retryAfter() async throws {
        let handler = JobHandler(.sample()) { _ throws(Problem) in
            throw .overloaded("It", retryAfter: .seconds(5000))
        }
        try await RunnerRig.run([handler]) { rig async throws in
            let id = try await rig.enqueue(.sample())
            let job = try await rig.job(id) { $0.state == .queued && $0.attempts == 1 }
            #expect(job.runAt == rig.clock.now + .seconds(5000))
        }
    }

    @Test("What no other try can mend is dead at once, and a strange payload too")
    func refused() async throws {
        let handler = JobHandler(.sample()) { _ throws(Problem) in
            .refused(String(repeating: "long ", count: 200))
        }
        try await RunnerRig.run([handler]) { rig async throws in
            let first = try await rig.enqueue(.sample())
            let dead = try await rig.job(first) { $0.state == .dead }
            #expect(dead.attempts == 1 && dead.lastError?.count == Job.errorMax)
            let now = rig.clock.now
            let second = try await rig.store.write { db throws(Problem) in
                try db.jobs.enqueue("sample", payload: .null, attemptsMax: 3, at: now)
            }
            let strange = try await rig.job(try #require(second)) { $0.state == .dead }
            #expect(strange.lastError == "The payload is not one of this kind.")
        }
    }

    @Test("A try that takes too long is cancelled and has failed")
    func timeout() async throws {
        let (began, never) = (Signal(), Signal())
        let handler = JobHandler(.sample()) { _ throws(Problem) in
            began.send()
            _ = await never.next()
            throw Problem(.unavailable, "It was cancelled.")
        }
        try await RunnerRig.run([handler], lease: .seconds(3600)) { rig async throws in
            let id = try await rig.enqueue(.sample())
            _ = await began.next()
            rig.clock.advance(.seconds(300))
            let job = try await rig.job(id) { $0.state == .queued }
            #expect(job.lastError == "It took longer than 300 s.")
        }
    }

    @Test("No more run at once than there are workers, and a backlog leaves room for other kinds")
    func bounded() async throws {
        let (began, go) = (Signal(), Signal())
        let running = Mutex((now: 0, most: 0))
        let slow = JobHandler(.sample("slow", atOnce: 3)) { _ throws(Problem) in
            running.withLock { running in
                running.now += 1
                running.most = max(running.most, running.now)
            }
            began.send()
            _ = await go.next()
            running.withLock { $0.now -= 1 }
            return .done
        }
        let other = Signal()
        let quick = JobHandler(.sample("quick")) { run throws(Problem) in
            other.send(run.payload.number)
            return .done
        }
        try await RunnerRig.run([slow, quick], workers: 4) { rig async throws in
            for number in Int64(1)...12 { try await rig.enqueue(.sample("slow"), number) }
            for _ in 0..<3 { _ = await began.next() }
            for number in Int64(1)...5 {
                try await rig.enqueue(.sample("quick"), number)
                #expect(await other.next() == number)
            }
            for _ in 0..<12 { go.send() }
            for _ in 0..<9 { _ = await began.next() }
        }
        #expect(running.withLock { $0.most } == 3)
    }
}
