import Dispatch
import Synchronization

/// Holds a thread until it is opened: a test stops the writer with it while its queue fills.
final class Gate: Sendable {
    private struct State {
        var isReached = false
        var watchers: [CheckedContinuation<Void, Never>] = []
    }

    private let opened = DispatchSemaphore(value: 0)
    private let state = Mutex(State())

    /// For the thread that is to wait.
    func pass() {
        let watchers = state.withLock { state in
            state.isReached = true
            defer { state.watchers = [] }
            return state.watchers
        }
        for watcher in watchers { watcher.resume() }
        opened.wait()
    }

    func open() { opened.signal() }

    /// Returns once a thread stands at the gate.
    func reached() async {
        await withCheckedContinuation { watcher in
            let isReached = state.withLock { state in
                if !state.isReached { state.watchers.append(watcher) }
                return state.isReached
            }
            if isReached { watcher.resume() }
        }
    }
}
