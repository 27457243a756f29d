import Synchronization

/// Wakes who waits for something to do. What is set while nobody waits ends the next wait at once,
/// so nothing is missed between a look and the wait after it.
package final class Wake: Sendable {
    private struct State {
        var isSet = false
        var waiters: [UInt64: CheckedContinuation<Void, Never>] = [:]
        var last: UInt64 = 0
    }

    private let state = Mutex(State())

    package init() {}

    package func set() {
        let waiters = state.withLock { state in
            state.isSet = state.waiters.isEmpty
            defer { state.waiters = [:] }
            return state.waiters
        }
        for waiter in waiters.values { waiter.resume() }
    }

    /// Returns once it is set, or when the task is cancelled.
    package func wait() async {
        let number = state.withLock { state in
            state.last += 1
            return state.last
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    // A cancellation that came before this line found no waiter to wake.
                    if Task.isCancelled { return true }
                    if !state.isSet { state.waiters[number] = continuation }
                    defer { state.isSet = false }
                    return state.isSet
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.waiters.removeValue(forKey: number) }?.resume()
        }
    }
}
