/// Seeded randomness (Steele, Lea, Flood 2014): a failure names its seed and can be run again.
package struct SplitMix64: RandomNumberGenerator {
    private var state: UInt64

    package init(seed: UInt64) { state = seed }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    package mutating func int(_ range: ClosedRange<Int64>) -> Int64 {
        Int64.random(in: range, using: &self)
    }

    package mutating func chance(_ percent: Int64) -> Bool { int(1...100) <= percent }

    package mutating func pick<Element>(_ from: [Element]) -> Element {
        from[Int(int(0...Int64(from.count - 1)))]
    }

    /// How far a clock turns between two requests, in milliseconds: a little mostly, far now and
    /// then, and back.
    package mutating func turn() -> Int64 {
        if chance(3) { return -pick([1, 400, 1000, 1001, 60_000, 4_000_000]) }
        if chance(8) { return pick([20_000, 300_000, 3_600_000]) }
        return pick([0, 0, 0, 1, 1, 40, 300, 700, 2000])
    }
}
