import Domain
import Synchronization

/// A clock that tests turn.
package final class FakeClock: Sendable {
    private let time: Mutex<Timestamp>

    /// A Monday noon in the middle of a month, far from any window's edge.
    package init(_ start: String = "2026-11-23T12:00:00.000Z") {
        time = Mutex(Timestamp(start) ?? .epoch)
    }

    package var now: Timestamp { time.withLock { $0 } }

    package func advance(_ span: Duration) { time.withLock { $0 = $0 + span } }

    package func turn(to text: String) { time.withLock { $0 = Timestamp(text) ?? $0 } }
}
