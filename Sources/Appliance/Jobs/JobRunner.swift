import Domain
import Logging
import ServiceLifecycle
import Store
import Synchronization

/// Runs what is enqueued and what is scheduled.
///
/// One loop claims, and each claim is worked on in a task of its own (`JobRunner+Work`). The loop
/// sleeps until the next job, schedule or lease of a dead process is due, and is woken before that
/// by a commit that enqueued something, or by a worker that has become free. So nothing is asked
/// again and again, and nothing waits for a round.
///
/// Invariants: at most `workers` run at once, and of a kind at most what its terms say; a job that
/// this process runs is not claimed again by it, whatever the clock says; a claim is always ended
/// by its task, or the process ends.
///
/// When it is told to stop it claims nothing more and lets what runs end. When the time for that is
/// over its task is cancelled: what runs is cancelled and given back, for the next start.
final class JobRunner: Service {
    struct Bounds: Sendable {
        var workers = 4
        /// A job whose process has died is run by another one so long after; a third of it passes
        /// between two renewals.
        var lease: Duration = .seconds(60)
    }

    let store: any Database
    let clock: WallClock
    let logger: Logger
    let bounds: Bounds
    let tracer: SpanTracer?
    private let handlers: [JobHandler]
    private let state = Mutex(State())
    /// This process, in the names of its leases.
    private let name: String

    private struct State {
        /// What runs, with its kind.
        var running: [JobID: String] = [:]
        var isStopping = false
        var claims: UInt64 = 0
    }

    /// A rest after the store could not be asked: it may be full, or away.
    static let troubleRest: Duration = .seconds(5)
    /// The longest sleep, for a clock that was set meanwhile.
    private static let sleepMax: Duration = .seconds(60)

    init(
        _ handlers: [JobHandler], store: any Database, clock: WallClock, bounds: Bounds,
        tracer: SpanTracer? = nil, logger: Logger
    ) {
        self.handlers = handlers
        self.store = store
        self.clock = clock
        self.bounds = bounds
        self.tracer = tracer
        self.logger = logger
        var random = SystemRandomNumberGenerator()
        name = Base62.random(16, using: &random)
    }

    func run() async throws {
        await withGracefulShutdownHandler {
            await withDiscardingTaskGroup { group in
                while !isStopping {
                    let round = await nextRound()
                    for (claim, handler) in round.claims {
                        group.addTask {
                            await self.work(on: claim, by: handler, since: round.began)
                            self.end(claim.job.id)
                        }
                    }
                    await rest(until: round.next)
                }
            }
        } onGracefulShutdown: {
            self.state.withLock { $0.isStopping = true }
            self.store.enqueued.set()
        }
    }

    var isStopping: Bool { state.withLock { $0.isStopping } || Task.isCancelled }

    private func end(_ id: JobID) {
        state.withLock { $0.running[id] = nil }
        store.enqueued.set()
    }

    /// Ends before that moment when something was enqueued, a worker is free, or it must stop.
    private func rest(until moment: Timestamp) async {
        await withDiscardingTaskGroup { group in
            group.addTask {
                do { try await self.clock.sleep(moment) } catch { return }
                self.store.enqueued.set()
            }
            await store.enqueued.wait()
            group.cancelAll()
        }
    }

    // MARK: Claiming

    private struct Round {
        let began: Timestamp
        var claims: [(Jobs.Claim, JobHandler)] = []
        /// When there is something to do that nobody will tell of.
        var next: Timestamp
    }

    private func nextRound() async -> Round {
        let now = clock.now()
        let running = state.withLock { $0.running }
        do throws(Problem) {
            // Most rounds find nothing to do, and a read costs the disk nothing.
            let next = try await store.read { db throws(Problem) in
                try self.nextMoment(db, self.free(besides: running), running)
            }
            guard let next, next <= now else { return Round(began: now, next: sleepEnd(next, now)) }
            let (claims, later) = try await store.write { db throws(Problem) in
                try self.claim(db, running, at: now)
            }
            let claimed = claims.compactMap { claim in
                handlers.first { $0.name == claim.job.kind }.map { (claim, $0) }
            }
            state.withLock { state in
                for (claim, handler) in claimed { state.running[claim.job.id] = handler.name }
            }
            return Round(began: now, claims: claimed, next: sleepEnd(later, now))
        } catch {
            logger.error("jobs cannot be claimed", metadata: error.metadata)
            return Round(began: now, next: now + Self.troubleRest)
        }
    }

    private func sleepEnd(_ next: Timestamp?, _ now: Timestamp) -> Timestamp {
        min(next ?? now + Self.sleepMax, now + Self.sleepMax)
    }

    /// How many more may run now, in all and of each kind. A kind without room is left out, since
    /// a worker that ends will tell.
    private struct Free {
        let inAll: Int
        let kinds: [(handler: JobHandler, count: Int)]
    }

    private func free(besides running: [JobID: String]) -> Free {
        let inAll = max(0, bounds.workers - running.count)
        let kinds = handlers.map { handler in
            let own = running.values.count { $0 == handler.name }
            return (handler, min(inAll, handler.terms.atOnce - own))
        }
        return Free(inAll: inAll, kinds: kinds.filter { $0.1 > 0 })
    }

    private func nextMoment(
        _ db: any Connection, _ free: Free, _ running: [JobID: String]
    ) throws(Problem) -> Timestamp? {
        var moments = [
            try db.schedules.next(of: Set(handlers.map(\.name))),
            try db.jobs.nextLeaseEnd(except: Array(running.keys)),
        ]
        for kind in free.kinds { moments.append(try db.jobs.nextRun(of: kind.handler.name)) }
        return moments.compactMap { $0 }.min()
    }

    /// Serves schedules that are due, takes jobs of the dead back, and claims: one transaction.
    private func claim(
        _ db: any Connection, _ running: [JobID: String], at now: Timestamp
    ) throws(Problem) -> (claims: [Jobs.Claim], next: Timestamp?) {
        try serveSchedules(db, at: now)
        _ = try db.jobs.takeBack(except: Array(running.keys), at: now)
        var waiting: [(handler: JobHandler, since: Timestamp)] = []
        for (handler, _) in free(besides: running).kinds {
            guard let since = try db.jobs.nextRun(of: handler.name), since <= now else { continue }
            waiting.append((handler, since))
        }
        var claims: [Jobs.Claim] = []
        var busy = running
        // The kind first whose first job waits longest.
        for (handler, _) in waiting.sorted(by: { $0.since < $1.since }) {
            let room = free(besides: busy).kinds.first { $0.handler.name == handler.name }
            guard let room else { continue }
            let found = try db.jobs.claim(
                handler.name, atMost: room.count, owner: nextOwner(), until: now + bounds.lease,
                at: now)
            claims += found
            for claim in found { busy[claim.job.id] = handler.name }
        }
        return (claims, try nextMoment(db, free(besides: busy), busy))
    }

    private func nextOwner() -> String {
        let number = state.withLock { state in
            state.claims += 1
            return state.claims
        }
        return "\(name)-\(number)"
    }

    private func serveSchedules(_ db: any Connection, at now: Timestamp) throws(Problem) {
        for due in try db.schedules.due(at: now) {
            // What is not known here is another version's, which may run beside this one.
            guard let handler = handlers.first(where: { $0.name == due.name }) else { continue }
            let schedule: Schedule
            do throws(Schedule.Failure) {
                schedule = try Schedule(due.spec)
            } catch {
                logger.error("a schedule cannot be read", metadata: ["cause": "\(error.reason)"])
                try db.schedules.remove(due.name)
                continue
            }
            _ = try db.schedules.fire(
                due, attemptsMax: handler.terms.attemptsMax, next: schedule.next(after: now),
                at: now)
        }
    }
}

extension Problem {
    /// For a log line.
    var metadata: Logger.Metadata { ["cause": "\(cause ?? detail)"] }
}
