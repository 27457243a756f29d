import Domain
import Glibc
import Synchronization

/// The time of day as a value, so that tests turn it as they like.
package struct WallClock: Sendable {
    package let now: @Sendable () -> Timestamp

    package init(now: @escaping @Sendable () -> Timestamp) { self.now = now }

    package static let system = WallClock {
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
