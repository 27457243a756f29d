import CSQLite
import Domain
import Synchronization

/// Connections that only read, each on a thread of its own, behind one bounded queue.
///
/// About as many as cores (sqlite.md 13). A read is one snapshot, and one that runs longer than
/// `deadline` is interrupted: a reader that stays would keep the write-ahead log from ever being
/// reset (sqlite.md 9).
final class SQLiteReaders: Sendable {
    typealias Unit = StoreUnit

    private static let deadline: Duration = .seconds(5)
    /// Virtual machine steps between two looks at the clock: some tens of microseconds.
    private static let stepsBetweenLooks: Int32 = 20_000

    private let queue: BoundedQueue<Unit>
    /// Threads with a read in hand.
    private let busyThreads = Atomic<Int>(0)

    init(queueCapacity: Int) { queue = BoundedQueue(capacity: queueCapacity) }

    func submit(_ unit: Unit) { unit.put(into: queue) }

    func close() { queue.close() }

    var waiting: Int { queue.count }

    var busy: Int { busyThreads.load(ordering: .relaxed) }

    /// A thread's body: returns when the queue is closed and drained.
    func serve(_ connection: SQLiteConnection) {
        let deadline = Deadline()
        deadline.watch(connection, every: Self.stepsBetweenLooks)
        while let units = queue.take(atMost: 1) {
            for unit in units {
                deadline.end = ContinuousClock.now + Self.deadline
                busyThreads.wrappingAdd(1, ordering: .relaxed)
                let outcome = read(unit, on: connection)
                busyThreads.wrappingSubtract(1, ordering: .relaxed)
                unit.finish(outcome)
            }
        }
        deadline.unwatch(connection)
    }

    private func read(_ unit: Unit, on connection: SQLiteConnection) -> Problem? {
        do throws(SQLiteError) {
            try connection.run("BEGIN")
        } catch {
            return error.problem
        }
        var outcome: Problem?
        do throws(Problem) {
            try unit.run(connection)
        } catch {
            outcome = error
        }
        do throws(SQLiteError) {
            if connection.isInTransaction { try connection.run("COMMIT") }
        } catch {
            outcome = outcome ?? error.problem
            rollBack(connection)
        }
        return outcome
    }

    /// A snapshot that stays open would fail every read after it.
    private func rollBack(_ connection: SQLiteConnection) {
        do throws(SQLiteError) {
            if connection.isInTransaction { try connection.run("ROLLBACK") }
        } catch {
            // The next BEGIN reports a connection that is lost.
        }
    }

    /// Interrupts a statement that runs past `end`. Used by its thread alone.
    private final class Deadline {
        var end = ContinuousClock.now

        func watch(_ connection: SQLiteConnection, every steps: Int32) {
            sqlite3_progress_handler(
                connection.handle, steps,
                { context in
                    guard let context else { return 0 }
                    let deadline = Unmanaged<Deadline>.fromOpaque(context).takeUnretainedValue()
                    return ContinuousClock.now > deadline.end ? 1 : 0
                }, Unmanaged.passUnretained(self).toOpaque())
        }

        func unwatch(_ connection: SQLiteConnection) {
            sqlite3_progress_handler(connection.handle, 0, nil, nil)
        }
    }
}
