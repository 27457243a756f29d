import Domain
import Support
import Testing

@Suite("Blocks, for any limits")
struct BlockPropertyTests {
    @Test(
        "What nodes grant from blocks, whenever they do, passes no quota and no rate",
        arguments: LendingLife.Clock.allCases)
    func neverPastTheBound(clock: LendingLife.Clock) throws {
        var seen: [LendingLife.Seen] = []
        for seed in UInt64(1)...30 {
            var life = try LendingLife(seed: seed, clock)
            for _ in 0..<300 { life.step() }
            seen.append(life.seen)
        }
        #expect(seen.reduce(0) { $0 + $1.lent } > 400)
        #expect(seen.reduce(0) { $0 + $1.spent } > 200)
        #expect(seen.reduce(0) { $0 + $1.settled } > 100)
        #expect(seen.reduce(0) { $0 + $1.expired } > 100)
        #expect(seen.reduce(0) { $0 + $1.refused } > 200)
    }

    @Test("Once all blocks are settled, what was granted is what is shown, to the unit")
    func nothingVanishes() throws {
        for seed in UInt64(1)...30 {
            var life = try LendingLife(seed: seed, .exact, isPrompt: true)
            for _ in 0..<200 { life.step() }
            life.settleAll()
            #expect(life.seen.expired == 0, "seed \(seed)")
            #expect(life.seen.settled == life.seen.lent, "seed \(seed)")
            #expect(life.customer.blocks.isEmpty, "seed \(seed)")
            #expect(life.real.isAllCounted, "seed \(seed)")
        }
    }
}
