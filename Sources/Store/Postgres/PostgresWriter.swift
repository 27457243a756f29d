import Domain
import Synchronization

/// The connection that writes, on a thread of its own, with group commit: what waits goes in one
/// transaction, each unit in a savepoint, as on SQLite (`SQLiteWriter`).
///
/// **One at a time, on all nodes.** The contract says that bodies run one after the other, and they
/// are written so: they read, decide and write (is this the last admin? was this refresh token used
/// before? which row ends the audit chain?). SQLite has one writer; here several nodes have one
/// each, so a transaction that writes begins by waiting for its turn, an advisory lock that ends
/// with it. Every body is then right on several nodes because it is right on one, those that will
/// be written included, and nothing fails for having run beside another.
///
/// **Rejected.** SERIALIZABLE transactions side by side, retried when they meet: nearly every unit
/// that changes an account ends in the audit chain, whose head they all read and move, and in the
/// hour's counters; they would queue there all the same, after doing their work, to do it again.
/// READ COMMITTED with a lock for each noun: seventy bodies that are wrong in silence when one of
/// them locks too little. What a turn costs is the trips of its statements, which is why control
/// statements travel with others, and a group shares its COMMIT. Bodies that touch one account
/// alone could share a turn once measurements ask for it.
///
/// Invariants: a unit that throws leaves nothing behind and does not disturb its neighbours; none
/// is answered with success before its commit is durable; a commit whose answer was lost is looked
/// up by its transaction id, and what cannot be found out is said to be unknown.
package final class PostgresWriter: Sendable {
    /// What the writer has done, for tests and metrics.
    package struct Figures: Sendable, Equatable {
        package var commits = 0
        package var units = 0
        package var failed = 0
        package var largestGroup = 0
        /// Transactions that were begun anew, after a conflict or on a new connection.
        package var repeated = 0
        /// Commits whose answer was lost and that were looked up.
        package var lookedUp = 0
    }

    /// Savepoints of one transaction: with more, every snapshot of the server has to look them up
    /// on disk (PGPROC_MAX_CACHED_SUBXIDS).
    private static let groupMax = 64
    /// How long a unit waits before it runs: who asked has given up by then.
    static let waitMax: Duration = .seconds(5)
    /// Runs of one transaction that meets others' locks.
    private static let runsMax = 6
    private static let backoff = Backoff(base: .milliseconds(10), cap: .milliseconds(200))

    private let queue: BoundedQueue<StoreUnit>
    /// Nil where several processes may write.
    private let claim: PostgresClaim?
    private let figures = Mutex(Figures())
    let enqueued = Wake()
    /// The same, for who tells the other nodes: a wake that both waited for could be missed by one.
    let enqueuedHere = Wake()

    init(queueCapacity: Int, claim: PostgresClaim?) {
        queue = BoundedQueue(capacity: queueCapacity)
        self.claim = claim
    }

    /// Fails at once when the queue is full; the unit has then not run and never will.
    func submit(_ unit: StoreUnit) { unit.put(into: queue) }

    func close() { queue.close() }

    var current: Figures { figures.withLock { $0 } }

    var waiting: Int { queue.count }

    /// The thread's body: returns when the queue is closed and drained.
    func serve(_ link: PostgresLink) {
        while let taken = queue.take(atMost: Self.groupMax) {
            let group = taken.filter { !$0.isRefusedForAge(over: Self.waitMax) }
            if !group.isEmpty { settle(group, on: link) }
        }
    }

    /// What one run of a transaction came to.
    private enum Run {
        /// Committed; or nothing was, as each unit had failed by itself.
        case done([Problem?], hasEnqueued: Bool)
        case undone(PostgresError)
        case unknown([Problem?], hasEnqueued: Bool, id: String, PostgresError)
    }

    /// Runs a group until it is committed or cannot be, and answers each unit once.
    private func settle(_ group: [StoreUnit], on link: PostgresLink) {
        var runs: Int64 = 0
        while true {
            guard claim?.isHeld ?? true else {
                return fail(
                    group,
                    with: .unavailable(
                        "The store cannot be reached.",
                        cause: "the hold on the store was lost and is not back yet"))
            }
            runs += 1
            var outcome: Run
            do throws(PostgresError) {
                outcome = run(group, on: try link.connection())
            } catch {
                return fail(group, with: error.problem)
            }
            if case .unknown(let own, let hasEnqueued, let id, let error) = outcome {
                switch lookUp(id, on: link) {
                case true?: outcome = .done(own, hasEnqueued: hasEnqueued)
                case false?: outcome = .undone(error)
                case nil: return fail(group, with: Self.unknown(error))
                }
            }
            switch outcome {
            case .done(let own, let hasEnqueued):
                return answer(group, own, hasEnqueued: hasEnqueued)
            case .undone(let error):
                guard Self.isWorthAnother(error, after: runs) else {
                    return fail(group, with: error.problem)
                }
                figures.withLock { $0.repeated += 1 }
                var random = SystemRandomNumberGenerator()
                if error.isTransient {
                    PostgresLink.pause(Self.backoff.wait(after: runs, using: &random))
                }
            case .unknown: return
            }
        }
    }

    /// A conflict passes. A connection that was lost is often one that had been idle when the
    /// server went and came again: that costs one more run, and a server that is away no more.
    private static func isWorthAnother(_ error: PostgresError, after runs: Int64) -> Bool {
        error.isTransient ? runs < runsMax : error.isLost && runs == 1
    }

    private func run(_ group: [StoreUnit], on connection: PostgresConnection) -> Run {
        var own: [Problem?] = []
        let id: String
        _ = connection.takeEnqueued()
        do throws(PostgresError) {
            id = try connection.beginWriting(as: claim?.name)
            for unit in group {
                own.append(try run(unit, isAlone: group.count == 1, on: connection))
            }
        } catch {
            connection.rollBack()
            return .undone(error)
        }
        guard own.contains(where: { $0 == nil }) else {
            connection.rollBack()
            return .done(own, hasEnqueued: false)
        }
        let hasEnqueued = connection.takeEnqueued()
        do throws(PostgresError) {
            try connection.commit()
        } catch {
            guard !connection.isLost else {
                return .unknown(own, hasEnqueued: hasEnqueued, id: id, error)
            }
            connection.rollBack()
            return .undone(error)
        }
        return .done(own, hasEnqueued: hasEnqueued)
    }

    /// The unit's own failure, if it had one. Throws when the whole transaction is lost.
    private func run(
        _ unit: StoreUnit, isAlone: Bool, on connection: PostgresConnection
    ) throws(PostgresError) -> Problem? {
        // Alone, it needs no savepoint: the transaction is rolled back with it.
        if !isAlone { connection.putOff("SAVEPOINT unit") }
        var problem: Problem?
        do throws(Problem) {
            try unit.run(connection)
        } catch {
            problem = error
        }
        if let failure = connection.failure {
            if failure.isTransient || connection.isLost { throw failure }
            // Also when the body went on as if nothing had been.
            problem = problem ?? failure.problem
        }
        guard !isAlone else { return problem }
        if problem != nil {
            connection.forgetFailure()
            connection.putOff("ROLLBACK TO SAVEPOINT unit")
        }
        connection.putOff("RELEASE SAVEPOINT unit")
        return problem
    }

    private func lookUp(_ id: String, on link: PostgresLink) -> Bool? {
        figures.withLock { $0.lookedUp += 1 }
        let end = ContinuousClock.now + link.options.timeouts.lookUp
        repeat {
            do throws(PostgresError) {
                if let known = try link.connection().wasCommitted(id) { return known }
            } catch {
                // The server is away still, or going: it is asked again until the time is over.
            }
            PostgresLink.pause(.milliseconds(100))
        } while ContinuousClock.now < end
        return nil
    }

    private static func unknown(_ error: PostgresError) -> Problem {
        .unavailable(
            "The store went away while it kept this; whether it did is not known.",
            cause: "COMMIT without an answer: PostgreSQL \(error.state): \(error.message)")
    }

    private func answer(_ group: [StoreUnit], _ own: [Problem?], hasEnqueued: Bool) {
        let failed = own.count { $0 != nil }
        figures.withLock {
            $0.commits += failed == group.count ? 0 : 1
            $0.units += group.count
            $0.failed += failed
            $0.largestGroup = max($0.largestGroup, group.count)
        }
        for (unit, problem) in zip(group, own) { unit.finish(problem) }
        if hasEnqueued {
            enqueued.set()
            enqueuedHere.set()
        }
    }

    private func fail(_ group: [StoreUnit], with problem: Problem) {
        figures.withLock { $0.failed += group.count }
        for unit in group { unit.finish(problem) }
    }
}
