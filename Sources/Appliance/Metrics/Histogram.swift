import Domain
import Store
import Synchronization

/// One request that a bucket can be looked into by: its trace is recorded.
struct Exemplar: Sendable, Equatable {
    let took: Duration
    let trace: TraceContext
    let at: Timestamp
}

/// How long things took, in buckets. Recording is two atomic additions; only who has an exemplar
/// takes a lock, and few have.
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
    /// The last one of each bucket.
    private let exemplars = Mutex<[Int: Exemplar]>([:])

    /// - Parameter bounds: the most of each bucket, ascending.
    init(bounds: [Double] = httpBounds) {
        self.bounds = bounds
        buckets = (0...bounds.count).map { _ in Counter() }
    }

    func record(_ took: Duration, exemplar: Exemplar? = nil) {
        let (seconds, attoseconds) = max(took, .zero).components
        let value = Double(seconds) + Double(attoseconds) / 1e18
        let bucket = bounds.firstIndex { value <= $0 } ?? bounds.count
        nanoseconds.wrappingAdd(
            UInt64(seconds) &* 1_000_000_000 &+ UInt64(attoseconds / 1_000_000_000),
            ordering: .relaxed)
        buckets[bucket].next()
        if let exemplar { exemplars.withLock { $0[bucket] = exemplar } }
    }

    struct Counts: Sendable, Equatable {
        let bounds: [Double]
        /// How many took no longer than each bound.
        let cumulative: [UInt64]
        let count: UInt64
        /// Of all times, in seconds.
        let sum: Double
        /// By bucket, the one past every bound last.
        var exemplars: [Int: Exemplar] = [:]

        /// Of a histogram that was kept elsewhere.
        init(_ times: TimeBuckets) {
            var sum: UInt64 = 0
            let cumulative = times.counts.map { count in
                sum += count
                return sum
            }
            self.init(
                bounds: TimeBuckets.bounds, cumulative: cumulative.dropLast(), count: sum,
                sum: times.sum / .seconds(1))
        }

        init(
            bounds: [Double], cumulative: [UInt64], count: UInt64, sum: Double,
            exemplars: [Int: Exemplar] = [:]
        ) {
            self.bounds = bounds
            self.cumulative = cumulative
            self.count = count
            self.sum = sum
            self.exemplars = exemplars
        }
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
            sum: Double(nanoseconds.load(ordering: .relaxed)) / 1e9,
            exemplars: exemplars.withLock { $0 })
    }
}
