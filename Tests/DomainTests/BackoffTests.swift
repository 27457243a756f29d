import Support
import Testing

@testable import Domain

@Suite("Backoff")
struct BackoffTests {
    private let backoff = Backoff(base: .seconds(10), cap: .seconds(3600))

    @Test(
        "The longest wait doubles with each try until it is the cap",
        arguments: zip(
            [Int64(1), 2, 3, 8, 9, 10, 11, 64, 65, 1000, .max],
            [Int64(10), 20, 40, 1280, 2560, 3600, 3600, 3600, 3600, 3600, 3600]))
    func longest(attempts: Int64, seconds: Int64) {
        #expect(backoff.most(after: attempts) == seconds * 1000)
    }

    @Test("Every wait from nothing to the longest comes about as often")
    func jitter() {
        var random = SplitMix64(seed: 7)
        var tenths = [Int](repeating: 0, count: 10)
        for _ in 0..<10_000 {
            let wait = backoff.wait(after: 3, using: &random).wholeMilliseconds
            #expect((0...40_000).contains(wait))
            tenths[min(9, Int(wait) / 4000)] += 1
        }
        #expect(tenths.allSatisfy { (800...1200).contains($0) })
    }

    @Test("A base of nothing, and one past the cap, are no trouble")
    func edges() {
        #expect(Backoff(base: .zero, cap: .seconds(9)).most(after: 20) == 0)
        #expect(Backoff(base: .seconds(9), cap: .seconds(5)).most(after: 1) == 5000)
        #expect(Backoff(base: .seconds(9), cap: .zero).most(after: 3) == 0)
    }
}
