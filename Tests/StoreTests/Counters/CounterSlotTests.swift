import Domain
import Support
import Testing

@testable import Store

@Suite("Counter slot")
struct CounterSlotTests {
    private static let longest = String(repeating: "m", count: 40)

    private static let keys: [UsageDelta.Key] = [
        .sample(1), .sample(2, key: 3), .sample(0, key: 0, metric: longest),
        .sample(.max, metric: "", hour: -1), .sample(5, metric: "tokens", hour: .max),
    ]

    private func written(
        _ writes: some Sequence<CounterSlot.Write>, over image: [UInt64]
    ) -> [UInt64] {
        writes.reduce(into: image) { $0[$1.word] = $1.value }
    }

    private let free = [UInt64](repeating: 0, count: CounterSlot.words)

    @Test("A header says whose place it is", arguments: keys)
    func roundTrip(key: UsageDelta.Key) throws {
        let image = written(try #require(CounterSlot.opening(key, generation: 7)), over: free)
        #expect(CounterSlot.key { image[$0] } == key)
        #expect(CounterSlot.generation(about: image[CounterSlot.Word.about]) == 7)
    }

    @Test("A metric of more than 40 bytes has no header")
    func longMetric() {
        #expect(CounterSlot.opening(.sample(1, metric: Self.longest + "m"), generation: 0) == nil)
    }

    @Test("A place of zeros is nobody's")
    func zeros() { #expect(CounterSlot.key { _ in 0 } == nil) }

    @Test("A header with any one bit turned is nobody's")
    func flippedBits() throws {
        let image = written(
            try #require(CounterSlot.opening(.sample(1, key: 2), generation: 1)), over: free)
        for word in CounterSlot.Word.checksum..<CounterSlot.words {
            for bit in UInt64(0)..<64 {
                var torn = image
                torn[word] ^= 1 << bit
                #expect(CounterSlot.key { torn[$0] } == nil, "word \(word), bit \(bit)")
            }
        }
    }

    @Test("A lane holds 40 bits of either sign, beside the batch and the generation")
    func lanes() throws {
        var random = SplitMix64(seed: 4)
        let edges = [0, 1, -1, CounterLane.most, CounterLane.least]
        let some = (0..<200).map { _ in random.int(CounterLane.least...CounterLane.most) }
        for delta in edges + some {
            let batch = random.next()
            let generation = UInt8.random(in: 0...255, using: &random)
            let lane = try #require(
                CounterLane(delta: delta, batch: batch, generation: generation))
            #expect(CounterLane(word: lane.word) == lane)
            #expect(lane.delta(of: batch, generation: generation) == delta)
            #expect(lane.delta(of: batch + 1, generation: generation) == 0)
            #expect(lane.delta(of: batch, generation: generation &+ 1) == 0)
        }
        #expect(CounterLane(delta: CounterLane.most + 1, batch: 1, generation: 0) == nil)
        #expect(CounterLane(delta: CounterLane.least - 1, batch: 1, generation: 0) == nil)
    }

    @Test("After any number of the stores of a reuse, nothing is counted for anyone")
    func reuse() throws {
        let before = written(
            try #require(CounterSlot.opening(.sample(1), generation: 4)), over: free)
        var counted = before
        let lane = try #require(CounterLane(delta: 9, batch: 3, generation: 4))
        counted[1] = lane.word
        let writes = try #require(CounterSlot.opening(.sample(2, key: 8), generation: 5))
        for count in 0...writes.count {
            let image = written(writes.prefix(count), over: counted)
            var sums: [UsageDelta.Key: Int64] = [:]
            CounterFile.collect(image, after: FoldMark(batch: 2), into: &sums)
            // Before the first lane is zeroed the old count stands; it never moves to the new key.
            let expected: Int64 = count < 2 ? 9 : 0
            #expect(sums[.sample(1)] ?? 0 == expected, "after \(count) stores")
            #expect(sums[.sample(2, key: 8)] ?? 0 == 0, "after \(count) stores")
            #expect(Set(sums.keys).isSubset(of: [.sample(1), .sample(2, key: 8)]))
        }
    }

    @Test("An old lane beside a new header counts for nobody, in any mix of words")
    func mixedReuse() throws {
        var old = written(try #require(CounterSlot.opening(.sample(1), generation: 4)), over: free)
        old[1] = try #require(CounterLane(delta: 9, batch: 3, generation: 4)).word
        var new = written(try #require(CounterSlot.opening(.sample(2), generation: 5)), over: old)
        new[1] = try #require(CounterLane(delta: 70, batch: 3, generation: 5)).word
        let changed = old.indices.filter { old[$0] != new[$0] }
        #expect(changed.count == 4)
        for choice in 0..<(1 << changed.count) {
            var mixed = old
            for (bit, word) in changed.enumerated() where choice >> bit & 1 == 1 {
                mixed[word] = new[word]
            }
            var sums: [UsageDelta.Key: Int64] = [:]
            CounterFile.collect(mixed, after: FoldMark(batch: 2), into: &sums)
            let isRight = sums.allSatisfy { key, value in
                value == 0 || (key == .sample(1) && value == 9)
                    || (key == .sample(2) && value == 70)
            }
            if !isRight { Issue.record("choice \(choice) gave \(sums)") }
        }
    }
}
