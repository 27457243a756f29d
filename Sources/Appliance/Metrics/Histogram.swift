import Synchronization

/// How long things took, in buckets. Recording is two atomic additions.
final class Histogram: Sendable {
    /// The field's usual bounds for HTTP, in seconds, and two below: most answers take less than
    /// 5 ms.
    static let httpBounds = [
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
    ]

    private let bounds: [Double]
    /// Of each bucket alone; the last is for what is past every bound.
    private let buckets: [Counter]
    private let nanoseconds = Atomic<UInt64>(0)

    /// - Parameter bounds: the most of each bucket, ascending.
    init(bounds: [Double] = httpBounds) {
        self.bounds = bounds
        buckets = (0...bounds.count).map { _ in Counter() }
    }

    func record(_ took: Duration) {
        let (seconds, attoseconds) = max(took, .zero).components
        let value = Double(seconds) + Double(attoseconds) / 1e18
        let bucket = bounds.firstIndex { value <= $0 } ?? bounds.count
        nanoseconds.wrappingAdd(
            UInt64(seconds) &* 1_000_000_000 &+ UInt64(attoseconds / 1_000_000_000),
            ordering: .relaxed)
        buckets[bucket].next()
    }

    struct Counts: Sendable, Equatable {
        let bounds: [Double]
        /// How many took no longer than each bound.
        let cumulative: [UInt64]
        let count: UInt64
        /// Of all times, in seconds.
        let sum: Double
    }

    /// The count is the buckets' own sum: whatever is recorded meanwhile, no bucket has more.
    var counts: Counts {
        var sum: UInt64 = 0
        var cumulative: [UInt64] = []
        for bucket in buckets {
            sum += bucket.current
            cumulative.append(sum)
        }
        return Counts(
            bounds: bounds, cumulative: cumulative.dropLast(), count: sum,
            sum: Double(nanoseconds.load(ordering: .relaxed)) / 1e9)
    }
}
