import Domain
import Logging
import ServiceLifecycle
import Store
import Support
import Synchronization

@testable import Appliance

/// What a job of a test is given.
struct Numbered: JobPayload {
    let number: Int64

    init(_ number: Int64) { self.number = number }

    init?(json: JSON) {
        guard let number = json["number"]?.number else { return nil }
        self.number = number
    }

    var json: JSON { .object([JSON.Member("number", .integer(number))]) }
}

extension JobKind where Payload == Numbered {
    /// Three tries, waits of up to 10, 20 … seconds, two at once.
    static func sample(_ name: String = "sample", atOnce: Int = 2) -> JobKind {
        var terms = JobTerms()
        terms.attemptsMax = 3
        terms.backoff = Backoff(base: .seconds(10), cap: .seconds(600))
        terms.timeout = .seconds(300)
        terms.atOnce = atOnce
        return JobKind(name, terms)
    }
}

/// A runner over a real store, with kinds of the test's own and a clock that it turns.
struct RunnerRig: Sendable {
    let store: SQLiteStore
    let clock: FakeClock
    let group: ServiceGroup

    enum Ending {
        /// Told to stop, as by SIGTERM.
        case shutdown
        /// Cancelled, as when the time to stop is over.
        case cancellation
    }

    /// Runs `body` beside the runner, stops the runner, and runs `after`.
    static func run(
        _ handlers: [JobHandler], workers: Int = 4, lease: Duration = .seconds(60),
        endsBy ending: Ending = .shutdown,
        _ body: @Sendable @escaping (RunnerRig) async throws -> Void,
        after: (RunnerRig) async throws -> Void = { _ in }
    ) async throws {
        let folder = try TemporaryFolder()
        let store = try SQLiteStore(file: folder.path + "/gatehouse.db")
        defer {
            store.close()
            withExtendedLifetime(folder) {}
        }
        let clock = FakeClock()
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let runner = JobRunner(
            handlers, store: store, clock: clock.wall,
            bounds: JobRunner.Bounds(workers: workers, lease: lease), logger: logger)
        let group = ServiceGroup(services: [runner], logger: logger)
        let rig = RunnerRig(store: store, clock: clock, group: group)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            do {
                try await body(rig)
            } catch {
                tasks.cancelAll()
                throw error
            }
            switch ending {
            case .shutdown: await group.triggerGracefulShutdown()
            case .cancellation: tasks.cancelAll()
            }
            while case .some = await tasks.nextResult() {}
        }
        try await after(rig)
    }

    @discardableResult
    func enqueue(
        _ kind: JobKind<Numbered>, _ number: Int64 = 1, in delay: Duration = .zero
    ) async throws -> JobID {
        let now = clock.now
        let id = try await store.write { db throws(Problem) in
            try db.jobs.enqueue(kind, Numbered(number), runAt: now + delay, at: now)
        }
        guard let id else { throw TemporaryFolder.Failure(what: "not enqueued") }
        return id
    }

    func job(_ id: JobID) async throws -> Job {
        let job = try await store.read { db throws(Problem) in try db.jobs.find(id) }
        guard let job else { throw TemporaryFolder.Failure(what: "no such job") }
        return job
    }

    /// The job once it is so.
    func job(_ id: JobID, when isReached: (Job) -> Bool) async throws -> Job {
        var found = try await job(id)
        try await eventually {
            found = try await job(id)
            return isReached(found)
        }
        return found
    }

    /// Nothing tells a test of a commit, hence it looks again and again.
    func eventually(_ isReached: () async throws -> Bool) async throws {
        for _ in 0..<10_000 {
            if try await isReached() { return }
            try await Task.sleep(for: .milliseconds(1))
        }
        throw TemporaryFolder.Failure(what: "never")
    }

    func number(_ sql: SQL) async throws -> Int64 {
        try await store.read { db throws(Problem) in try db.count(sql) }
    }
}

/// Something that a job and a test wait for.
final class Signal: Sendable {
    private let stream: AsyncStream<Int64>
    private let continuation: AsyncStream<Int64>.Continuation

    init() { (stream, continuation) = AsyncStream.makeStream(of: Int64.self) }

    func send(_ number: Int64 = 0) { continuation.yield(number) }

    /// The next that was sent; nil when the task is cancelled.
    func next() async -> Int64? {
        var iterator = stream.makeAsyncIterator()
        return await iterator.next()
    }
}
