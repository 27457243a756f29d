import Domain
import Store
import Support
import Testing

@testable import Appliance

@Suite("Leases and the end of the job runner", .timeLimit(.minutes(2)))
struct JobShutdownTests {
    private let began = Signal()
    private let go = Signal()
    private let kind: JobKind<Numbered>

    init() {
        var terms = JobKind<Numbered>.sample().terms
        terms.timeout = .seconds(365 * 86_400)
        terms.atOnce = 2
        kind = JobKind("sample", terms)
    }

    /// Says when it has begun, and ends when it is told to or cancelled.
    private var handler: JobHandler {
        JobHandler(kind) { [began, go] run throws(Problem) in
            began.send(run.payload.number)
            guard await go.next() != nil, !Task.isCancelled else {
                throw Problem(.unavailable, "It was cancelled.")
            }
            return .done
        }
    }

    private static let leaseEnd: SQL = "SELECT max(locked_until) FROM jobs"

    @Test("A lease is renewed while its job runs, and a clock set far ahead makes no second run")
    func renewed() async throws {
        try await RunnerRig.run([handler]) { [kind, began, go] rig async throws in
            let id = try await rig.enqueue(kind)
            #expect(await began.next() == 1)
            for span in [Duration.seconds(20), .seconds(40), .seconds(86_400)] {
                rig.clock.advance(span)
                let end = (rig.clock.now + .seconds(60)).milliseconds
                try await rig.eventually { try await rig.number(Self.leaseEnd) == end }
            }
            let other = try await rig.enqueue(kind, 2)
            #expect(await began.next() == 2)
            #expect(try await rig.job(id).attempts == 1)
            go.send()
            go.send()
            for job in [id, other] { _ = try await rig.job(job) { $0.state == .done } }
        }
    }

    @Test("Who has lost the lease is cancelled and changes nothing")
    func lost() async throws {
        try await RunnerRig.run([handler]) { [kind, began] rig async throws in
            try await rig.enqueue(kind)
            _ = await began.next()
            let end = rig.clock.now + .seconds(86_400)
            try await rig.store.write { db throws(Problem) in
                _ = try db.execute(
                    "UPDATE jobs SET locked_by = 'other', locked_until = \(end)")
            }
            rig.clock.advance(.seconds(20))
            // It stops once what runs has ended, which only a cancellation does here.
            await rig.group.triggerGracefulShutdown()
        } after: { rig async throws in
            let count = try await rig.number(
                "SELECT count(*) FROM jobs WHERE locked_by = 'other' AND attempts = 1")
            #expect(count == 1)
        }
    }

    @Test("Told to stop it lets what runs end, and claims nothing more")
    func graceful() async throws {
        try await RunnerRig.run([handler], workers: 1) { [kind, began, go] rig async throws in
            for number in Int64(1)...2 { try await rig.enqueue(kind, number) }
            _ = await began.next()
            await rig.group.triggerGracefulShutdown()
            go.send()
        } after: { rig in
            for state in ["done", "queued"] {
                let count = try await rig.number("SELECT count(*) FROM jobs WHERE state = \(state)")
                #expect(count == 1, "\(state)")
            }
        }
    }

    @Test("When its time to end is over, what runs is given back as if it had not begun")
    func cancelled() async throws {
        try await RunnerRig.run([handler], endsBy: .cancellation) { [kind, began] rig in
            try await rig.enqueue(kind)
            _ = await began.next()
        } after: { rig in
            let count = try await rig.number(
                """
                SELECT count(*) FROM jobs
                WHERE state = 'queued' AND attempts = 0 AND last_error IS NULL
                """)
            #expect(count == 1)
        }
    }

    @Test("What a dead process held is run once its lease is over")
    func takenOver() async throws {
        try await RunnerRig.run([handler]) { [kind, began, go] rig async throws in
            let now = rig.clock.now
            let id = try await rig.store.write { db throws(Problem) in
                let id = try db.jobs.enqueue(kind, Numbered(5), at: now)
                _ = try db.jobs.claim(
                    kind.name, atMost: 1, owner: "dead", until: now + .seconds(30), at: now)
                return id
            }
            rig.clock.advance(.seconds(29))
            #expect(try await rig.job(try #require(id)).attempts == 1)
            rig.clock.advance(.seconds(1))
            #expect(await began.next() == 5)
            go.send()
            let job = try await rig.job(try #require(id)) { $0.state == .done }
            #expect(job.attempts == 2)
        }
    }
}
