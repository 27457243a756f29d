import Domain
import Synchronization

/// Connections that only read, each on a thread of its own, behind one bounded queue. A read is one
/// snapshot, and the server ends a statement that runs for longer than those of SQLite may.
final class PostgresReaders: Sendable {
    private let queue: BoundedQueue<StoreUnit>
    /// Threads with a read in hand.
    private let busyThreads = Atomic<Int>(0)

    init(queueCapacity: Int) { queue = BoundedQueue(capacity: queueCapacity) }

    func submit(_ unit: StoreUnit) { unit.put(into: queue) }

    func close() { queue.close() }

    var waiting: Int { queue.count }

    var busy: Int { busyThreads.load(ordering: .relaxed) }

    /// A thread's body: returns when the queue is closed and drained.
    func serve(_ link: PostgresLink) {
        while let units = queue.take(atMost: 1) {
            for unit in units where !unit.isRefusedForAge(over: PostgresWriter.waitMax) {
                busyThreads.wrappingAdd(1, ordering: .relaxed)
                settle(unit, on: link)
                busyThreads.wrappingSubtract(1, ordering: .relaxed)
            }
        }
    }

    /// A read changes nothing: on a connection that was lost it is run once more.
    private func settle(_ unit: StoreUnit, on link: PostgresLink) {
        for isLast in [false, true] {
            let connection: PostgresConnection
            do throws(PostgresError) {
                connection = try link.connection()
            } catch {
                return unit.finish(error.problem)
            }
            let outcome = read(unit, on: connection)
            if connection.isLost, !isLast { continue }
            unit.finish(outcome)
            // Who asked has its answer, and does not wait for the end of the snapshot.
            return connection.rollBack()
        }
    }

    private func read(_ unit: StoreUnit, on connection: PostgresConnection) -> Problem? {
        connection.beginReading()
        do throws(Problem) {
            try unit.run(connection)
        } catch {
            return error
        }
        return connection.failure?.problem
    }
}
