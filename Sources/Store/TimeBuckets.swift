/// How long something took, each time, in buckets: for who measures on one thread, under a lock.
package struct TimeBuckets: Sendable, Equatable {
    /// In seconds: a commit takes some 2 ms on an ordinary disk, 0.1 ms on a fast one.
    package static let bounds = [
        0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5,
    ]

    /// Of each bucket alone; the last is for what is past every bound.
    package private(set) var counts = [UInt64](repeating: 0, count: bounds.count + 1)
    package private(set) var sum: Duration = .zero

    package init() {}

    package mutating func add(_ took: Duration) {
        let seconds = took / .seconds(1)
        counts[Self.bounds.firstIndex { seconds <= $0 } ?? Self.bounds.count] += 1
        sum += took
    }
}
