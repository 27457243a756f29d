import Domain

/// One caller's work in a driver's queue. `run` keeps its result to itself until `finish` says how
/// the transaction went.
struct StoreUnit: Sendable {
    let run: @Sendable (any Connection) throws(Problem) -> Void
    let finish: @Sendable (Problem?) -> Void
    private let queuedAt = ContinuousClock.now

    init(
        run: @escaping @Sendable (any Connection) throws(Problem) -> Void,
        finish: @escaping @Sendable (Problem?) -> Void
    ) {
        self.run = run
        self.finish = finish
    }

    /// Is answered at once when there is no place in the queue; it then never runs.
    func put(into queue: BoundedQueue<StoreUnit>) {
        switch queue.put(self) {
        case .put: break
        case .full: finish(.overloaded("The store", retryAfter: .seconds(1)))
        case .closed: finish(.unavailable("The store is closing.", cause: "store closed"))
        }
    }

    /// Answers a unit that has waited for longer than that, and says so.
    func isRefusedForAge(over most: Duration) -> Bool {
        guard ContinuousClock.now - queuedAt > most else { return false }
        finish(.overloaded("The store", retryAfter: .seconds(1)))
        return true
    }

    /// Puts `body` into a queue and waits for its value.
    static func outcome<Value: Sendable>(
        of body: @escaping @Sendable (any Connection) throws(Problem) -> Value,
        submit: (StoreUnit) -> Void
    ) async throws(Problem) -> Value {
        let answer = Answer<Value>()
        let failure: Problem? = await withCheckedContinuation { continuation in
            submit(
                StoreUnit(
                    run: { connection throws(Problem) in answer.value = try body(connection) },
                    finish: { continuation.resume(returning: $0) }))
        }
        if let failure { throw failure }
        guard let value = answer.value else {
            throw .internal(cause: "the store answered a unit that it had not run")
        }
        return value
    }

    /// Carries a body's result from the store's thread to the waiting task.
    /// Unchecked, because the thread writes before the continuation resumes and the task reads
    /// after.
    private final class Answer<Value: Sendable>: @unchecked Sendable {
        var value: Value?
    }
}
