import Domain
import ServiceLifecycle
import Store
import Synchronization

/// What waits to be sent to another system. Putting never waits: what does not fit is dropped and
/// counted, since no request may depend on who watches it.
final class Outbox<Element: Sendable>: Sendable {
    private struct State {
        var waiting: [Element] = []
        var isClosed = false
    }

    private let capacity: Int
    /// So many are worth sending before the time is up.
    private let full: Int
    private let state = Mutex(State())
    private let wake = Wake()
    private let drops = Atomic<UInt64>(0)

    init(capacity: Int, full: Int) {
        self.capacity = capacity
        self.full = full
    }

    /// False when it was dropped.
    @discardableResult
    func put(_ element: Element) -> Bool {
        let count: Int? = state.withLock { state in
            guard state.waiting.count < capacity else { return nil }
            state.waiting.append(element)
            return state.waiting.count
        }
        guard let count else {
            drops.wrappingAdd(1, ordering: .relaxed)
            return false
        }
        if count == full { wake.set() }
        return true
    }

    func take(atMost most: Int) -> [Element] {
        state.withLock { state in
            let taken = Array(state.waiting.prefix(most))
            state.waiting.removeFirst(taken.count)
            return taken
        }
    }

    /// What did not fit since the start.
    var dropped: UInt64 { drops.load(ordering: .relaxed) }

    /// No more is tried again.
    var isClosed: Bool { state.withLock { $0.isClosed } }

    private func close() {
        state.withLock { $0.isClosed = true }
        wake.set()
    }

    func sendNow() { wake.set() }

    /// Calls `send` each interval, or when enough is waiting. When the daemon stops, once more: the
    /// last ones have `farewell`, since nobody waits for who watches.
    func serve(
        every interval: Duration, clock: WallClock, send: @escaping @Sendable () async -> Void
    ) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                while !self.isClosed, !Task.isCancelled {
                    await self.rest(until: clock.now() + interval, clock)
                    await send()
                }
                await send()
            }
            group.addTask {
                // Cancelled when another service has failed.
                do { try await gracefulShutdown() } catch { return }
                self.close()
                try? await Task.sleep(for: Self.farewell)
            }
            await group.next()
            group.cancelAll()
        }
    }

    private static var farewell: Duration { .seconds(3) }

    private func rest(until moment: Timestamp, _ clock: WallClock) async {
        await withDiscardingTaskGroup { group in
            group.addTask {
                do { try await clock.sleep(moment) } catch { return }
                self.wake.set()
            }
            await wake.wait()
            group.cancelAll()
        }
    }
}
