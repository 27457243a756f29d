import CSQLite
import Domain
import Synchronization

/// The one connection that writes, on a thread of its own, with group commit.
///
/// `synchronous=FULL` makes each commit wait for the disk, so the wait is shared: the thread takes
/// everything that is waiting, runs each unit in a savepoint, commits once, and only then answers
/// them all. While it waits for the disk, the next group gathers. Under load the cost of a sync is
/// divided by the group; a lone writer pays it alone and waits for nobody.
///
/// Invariants: a unit that throws leaves nothing behind and does not disturb its neighbours; no
/// unit is answered with success before its commit is on disk; when the commit fails, every unit
/// fails. Checkpoints run here too, between groups, so no write is ever beside one: that makes the
/// WAL-reset bug of SQLite before 3.51.3 harmless (sqlite.md 1, 10). Copies of the store are made
/// between groups as well, step by step (`SQLiteCopying`).
///
/// Savepoint rollback before SQLite 3.50.2 is unsafe once pages have spilled to the WAL in
/// mid-transaction (sqlite.md 8); `cache_spill=OFF` keeps them in memory, and `groupMax` bounds
/// them.
package final class SQLiteWriter: Sendable {
    typealias Unit = StoreUnit

    /// What the writer has done, for tests and metrics.
    package struct Figures: Sendable, Equatable {
        package var commits = 0
        package var units = 0
        package var failed = 0
        package var checkpoints = 0
        /// Checkpoints that a reader kept from being whole.
        package var busyCheckpoints = 0
        package var largestGroup = 0
        /// Pages in the write-ahead log after the last commit.
        package var walPages = 0
        /// From BEGIN to the disk, of all commits.
        package var commitTime: Duration = .zero
        /// The same, one by one.
        package var commitTimes = TimeBuckets()
        /// Of COMMIT alone: what it takes to write the log and to wait for the disk.
        package var syncTimes = TimeBuckets()
        /// When the last checkpoint was whole or as far as readers let it.
        package var checkpointedAt: ContinuousClock.Instant?
    }

    /// Units of one commit: bounds the memory of a transaction and the wait of its first unit.
    private static let groupMax = 256
    /// Pages of 4 KiB, as SQLite's own default: 4 MiB of log before it is copied into the file.
    private static let checkpointPages = 1000
    /// From here on the log is reset when nobody is waiting (sqlite.md 9: 10 times is an alarm).
    private static let truncatePages = 4000

    private let queue: BoundedQueue<Unit>
    private let figures = Mutex(Figures())
    let enqueued = Wake()
    /// Copies that were asked for, until the thread takes them.
    private let copies = Mutex<[SQLiteCopyQueue.Order]>([])

    init(queueCapacity: Int) { queue = BoundedQueue(capacity: queueCapacity) }

    /// Fails at once when the queue is full; the unit has then not run and never will.
    func submit(_ unit: Unit) { unit.put(into: queue) }

    /// Makes a copy of the store as it will be when the copy is whole.
    func copy(_ order: SQLiteCopyQueue.Order) {
        copies.withLock { $0.append(order) }
        guard !queue.wake() else { return }
        // Each order leaves the list once, so it is answered once: here, or by the thread's end.
        for order in takeCopies() {
            order.finish(.unavailable("The store is closing.", cause: "writer closed"))
        }
    }

    private func takeCopies() -> [SQLiteCopyQueue.Order] {
        copies.withLock { copies in
            defer { copies = [] }
            return copies
        }
    }

    func close() { queue.close() }

    var current: Figures { figures.withLock { $0 } }

    var waiting: Int { queue.count }

    /// The thread's body: returns when the queue is closed and drained.
    func serve(_ connection: SQLiteConnection) {
        var copying = SQLiteCopyQueue { [queue] in _ = queue.wake() }
        while let group = queue.take(atMost: Self.groupMax, waits: !copying.isReady) {
            if !group.isEmpty {
                commit(group, on: connection)
                checkpointIfDue(connection)
            }
            copying.add(takeCopies())
            copying.step(connection)
        }
        copying.add(takeCopies())
        copying.abandon()
        checkpoint(connection, mode: SQLITE_CHECKPOINT_TRUNCATE)
    }

    private func commit(_ group: [Unit], on connection: SQLiteConnection) {
        var outcomes: [Problem?] = []
        let begun = ContinuousClock.now
        let ready: ContinuousClock.Instant
        do throws(SQLiteError) {
            try connection.run("BEGIN IMMEDIATE")
            connection.mustBeInTransaction = true
            for unit in group { outcomes.append(try run(unit, on: connection)) }
            connection.mustBeInTransaction = false
            ready = ContinuousClock.now
            try connection.run("COMMIT")
        } catch {
            connection.mustBeInTransaction = false
            if connection.isInTransaction { rollBack(connection) }
            // Nobody's work was kept. A unit that had failed by itself keeps its own reason.
            for (index, unit) in group.enumerated() {
                let own = index < outcomes.count ? outcomes[index] : nil
                unit.finish(own ?? error.problem)
            }
            figures.withLock { $0.failed += group.count }
            return
        }
        let pages = connection.walPages
        let done = ContinuousClock.now
        figures.withLock {
            $0.commitTime += done - begun
            $0.commitTimes.add(done - begun)
            $0.syncTimes.add(done - ready)
            $0.commits += 1
            $0.units += group.count
            $0.failed += outcomes.count { $0 != nil }
            $0.largestGroup = max($0.largestGroup, group.count)
            $0.walPages = pages
        }
        for (unit, outcome) in zip(group, outcomes) { unit.finish(outcome) }
        if connection.takeEnqueued() { enqueued.set() }
    }

    /// The unit's own failure, if it had one. Throws when the whole transaction is lost.
    private func run(
        _ unit: Unit, on connection: SQLiteConnection
    ) throws(SQLiteError) -> Problem? {
        try connection.run("SAVEPOINT unit")
        do throws(Problem) {
            try unit.run(connection)
        } catch {
            // A full disk or an I/O error has rolled everything back already.
            guard connection.isInTransaction else {
                throw SQLiteError(
                    code: sqlite3_extended_errcode(connection.handle), handle: connection.handle)
            }
            try connection.run("ROLLBACK TO unit")
            try connection.run("RELEASE unit")
            return error
        }
        try connection.run("RELEASE unit")
        return nil
    }

    private func rollBack(_ connection: SQLiteConnection) {
        do {
            try connection.run("ROLLBACK")
        } catch {
            // The transaction is gone either way; the next BEGIN reports a connection that is lost.
        }
    }

    // MARK: Checkpoints

    private func checkpointIfDue(_ connection: SQLiteConnection) {
        let pages = connection.walPages
        guard pages >= Self.checkpointPages else { return }
        // TRUNCATE waits for readers, so only in a quiet moment; PASSIVE waits for nobody.
        let isQuiet = pages >= Self.truncatePages && queue.isEmpty
        checkpoint(
            connection, mode: isQuiet ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE)
    }

    private func checkpoint(_ connection: SQLiteConnection, mode: Int32) {
        // A reader may hold it up (SQLITE_BUSY): it is tried again after the next group.
        sqlite3_busy_timeout(connection.handle, 200)
        let code = sqlite3_wal_checkpoint_v2(connection.handle, nil, mode, nil, nil)
        sqlite3_busy_timeout(connection.handle, 5000)
        figures.withLock {
            $0.checkpoints += 1
            if code == SQLITE_OK { $0.checkpointedAt = ContinuousClock.now }
            if code & 0xFF == SQLITE_BUSY { $0.busyCheckpoints += 1 }
        }
    }
}
