import Synchronization

/// A few threads for work that computes, behind one bounded queue.
package final class WorkerPool: Sendable {
    private typealias Job = @Sendable () -> Void

    package enum Outcome<Value: Sendable>: Sendable {
        case done(Value?)
        /// The queue is full, or the pool is closed; the work was not begun.
        case full
    }

    private let queue: BoundedQueue<Job>
    private let threads: [WorkThread]
    private let refusals = Atomic<Int>(0)

    /// - Parameter start: runs once on each thread, such as to set its priority.
    package init(
        name: String, threads count: Int, queue capacity: Int,
        start: @escaping @Sendable () -> Void = {}
    ) throws(StoreRefusal) {
        let queue = BoundedQueue<Job>(capacity: capacity)
        self.queue = queue
        threads = (0..<count).compactMap { _ in
            WorkThread(name: name) {
                start()
                while let jobs = queue.take(atMost: 1) {
                    for job in jobs { job() }
                }
            }
        }
        guard threads.count == count else {
            queue.close()
            throw .unsuitable("The system has no threads left for \(name).")
        }
    }

    package func run<Value: Sendable>(
        _ body: @escaping @Sendable () -> Value?
    ) async -> Outcome<Value> {
        await withCheckedContinuation { continuation in
            let outcome = queue.put { continuation.resume(returning: .done(body())) }
            switch outcome {
            case .put: break
            case .full, .closed:
                refusals.wrappingAdd(1, ordering: .relaxed)
                continuation.resume(returning: .full)
            }
        }
    }

    /// Queues work that nobody waits for; false when it was not taken.
    package func submit(_ body: @escaping @Sendable () -> Void) -> Bool {
        switch queue.put(body) {
        case .put: return true
        case .full, .closed:
            refusals.wrappingAdd(1, ordering: .relaxed)
            return false
        }
    }

    /// Work that no thread has taken yet.
    package var waiting: Int { queue.count }

    /// How often work was not taken since the start.
    package var refused: Int { refusals.load(ordering: .relaxed) }

    /// Finishes what is queued; blocks until the threads have ended.
    package func close() {
        queue.close()
        for thread in threads { thread.join() }
    }
}
