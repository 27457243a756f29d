import Domain
import Glibc
import Synchronization

/// The time of day as a value, so that tests turn it as they like.
package struct WallClock: Sendable {
    package let now: @Sendable () -> Timestamp
    /// Returns at that time, or throws when the task is cancelled before.
    package let sleep: @Sendable (_ until: Timestamp) async throws(CancellationError) -> Void

    package init(
        now: @escaping @Sendable () -> Timestamp,
        sleep: @escaping @Sendable (Timestamp) async throws(CancellationError) -> Void
    ) {
        self.now = now
        self.sleep = sleep
    }

    package static let system = WallClock(now: systemTime) { end throws(CancellationError) in
        // The clock may be set meanwhile: what is far off is looked at again each minute.
        while true {
            let rest = end - systemTime()
            guard rest > .zero else { return }
            do {
                try await Task.sleep(for: min(rest, .seconds(60)))
            } catch {
                throw CancellationError()
            }
        }
    }

    @Sendable private static func systemTime() -> Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }
}

/// A count that many threads take numbers from.
final class Counter: Sendable {
    private let value = Atomic<UInt64>(0)

    @discardableResult
    func next() -> UInt64 { value.wrappingAdd(1, ordering: .relaxed).newValue }

    var current: UInt64 { value.load(ordering: .relaxed) }
}
