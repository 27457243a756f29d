import Domain
import Synchronization

/// A clock that tests turn. Who sleeps on it wakes when it is turned to the end of the sleep.
package final class FakeClock: Sendable {
    private struct Sleeper {
        let end: Timestamp
        let continuation: CheckedContinuation<Void, Never>
    }

    private struct State {
        var time: Timestamp
        var sleepers: [UInt64: Sleeper] = [:]
        var last: UInt64 = 0
    }

    private let state: Mutex<State>

    /// A Monday noon in the middle of a month, far from any window's edge.
    package init(_ start: String = "2026-11-23T12:00:00.000Z") {
        state = Mutex(State(time: Timestamp(start) ?? .epoch))
    }

    package var now: Timestamp { state.withLock { $0.time } }

    package func advance(_ span: Duration) { turn { $0 + span } }

    package func turn(to text: String) { turn { Timestamp(text) ?? $0 } }

    private func turn(_ change: (Timestamp) -> Timestamp) {
        let woken = state.withLock { state in
            let now = change(state.time)
            state.time = now
            let woken = state.sleepers.filter { $0.value.end <= now }
            for number in woken.keys { state.sleepers[number] = nil }
            return woken.values
        }
        for sleeper in woken { sleeper.continuation.resume() }
    }

    package func sleep(until end: Timestamp) async throws(CancellationError) {
        let number = state.withLock { state in
            state.last += 1
            return state.last
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    if state.time >= end || Task.isCancelled { return true }
                    state.sleepers[number] = Sleeper(end: end, continuation: continuation)
                    return false
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.sleepers.removeValue(forKey: number) }?.continuation.resume()
        }
        if Task.isCancelled { throw CancellationError() }
    }
}
