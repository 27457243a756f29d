import Domain
import Support
import Testing

@Suite("RateLimiter")
struct RateLimiterTests {
    private static let start = Timestamp(milliseconds: 1_800_000_000_000)

    private static func rule(
        _ bound: Int64, burst: Int64? = nil, period: Int64 = 1000
    ) -> RateRule {
        RateRule(name: "r", bound: bound, burst: burst, period: period)
    }

    private static func anyRule(_ random: inout SplitMix64) -> RateRule {
        rule(
            random.pick([1, 2, 3, 7, 11, 13, 60, 97, 999, 1000, 1001, 54_321]),
            burst: random.chance(50) ? random.int(1...200) : nil,
            period: random.chance(50) ? 1000 : 60_000)
    }

    @Test("A fresh rate grants its burst at once and no more")
    func burst() {
        let rule = Self.rule(20, burst: 40)
        var rate = RateLimiter()
        for _ in 0..<40 {
            #expect(rate.wait(for: 1, under: rule, at: Self.start) == .zero)
            rate.take(1, under: rule, at: Self.start)
        }
        #expect(rate.wait(for: 1, under: rule, at: Self.start) == .milliseconds(50))
        #expect(rate.remaining(under: rule, at: Self.start) == 0)
    }

    @Test(
        "A greedy client of an odd rate gets exactly that rate",
        arguments: [(7, 1000), (3, 1000), (11, 60_000), (999, 1000), (13, 60_000)]
            as [(Int64, Int64)])
    func oddRates(bound: Int64, period: Int64) {
        let rule = Self.rule(bound, burst: 1, period: period)
        var rate = RateLimiter()
        var granted: Int64 = 0
        let periods: Int64 = 10
        for millisecond in 0..<(periods * period) {
            let now = Self.start + .milliseconds(millisecond)
            if rate.wait(for: 1, under: rule, at: now) == .zero {
                rate.take(1, under: rule, at: now)
                granted += 1
            }
        }
        // One millisecond is the finest step a client can take: a grant falls due between two.
        let worst = period * periods / ((period + bound - 1) / bound)
        #expect(granted >= worst)
        #expect(granted <= 1 + bound * periods)
    }

    @Test("A wait of ages is a hundred years, and no trap")
    func ages() throws {
        let rules = #"{"a_per_minute": 1, "a_burst": 9007199254740992}"#
        var customer = Customer(standing: try Standing(json: rules))
        let all = Demand(metric: "a", cost: JSON.integerMax)
        #expect(customer.admit(all, at: Self.start).isGranted)
        let refusal = try customer.admit(all, at: Self.start).refusal()
        #expect(refusal.retryAt == Self.start + .seconds(100 * 366 * 86_400))
        #expect(refusal.canEverPass)
    }

    @Test("Waiting exactly as told, no token is lost to rounding")
    func noRounding() throws {
        let rule = Self.rule(7, burst: 7)
        var rate = RateLimiter()
        var now = Self.start
        rate.take(7, under: rule, at: now)
        for _ in 0..<100 {
            // Seven tokens come back in exactly a second, not in 7 × 143 ms.
            #expect(rate.wait(for: 7, under: rule, at: now) == .seconds(1))
            now = now + .seconds(1)
            rate.take(7, under: rule, at: now)
        }
    }

    @Test(
        "What is granted in any span never passes burst + rate × time", arguments: [UInt64](1...50))
    func neverTooMuch(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let rule = Self.anyRule(&random)
        var rate = RateLimiter()
        var now = Self.start
        var grants: [(at: Int64, cost: Int64)] = []
        for _ in 0..<400 {
            now = now + .milliseconds(random.pick([0, 0, 1, 1, 7, 50, 500, 5000]))
            let cost = random.int(1...max(1, rule.burst / 3))
            guard rate.wait(for: cost, under: rule, at: now) == .zero else { continue }
            rate.take(cost, under: rule, at: now)
            grants.append((now.milliseconds, cost))
        }
        for first in grants.indices {
            var sum: Int64 = 0
            for grant in grants[first...] {
                sum += grant.cost
                let elapsed = Int128(grant.at - grants[first].at)
                let most = Int128(rule.burst) * Int128(rule.period) + elapsed * Int128(rule.bound)
                #expect(Int128(sum) * Int128(rule.period) <= most, "seed \(seed)")
            }
        }
    }

    @Test(
        "A wait is exact: a millisecond earlier is refused, then it passes",
        arguments: [UInt64](1...50))
    func exactWait(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let rule = Self.anyRule(&random)
        var rate = RateLimiter()
        var now = Self.start
        for _ in 0..<300 {
            let cost = random.int(0...rule.burst)
            let wait = try #require(rate.wait(for: cost, under: rule, at: now), "seed \(seed)")
            if wait > .zero {
                let before = now + wait - .milliseconds(1)
                #expect(rate.wait(for: cost, under: rule, at: before) != .zero, "seed \(seed)")
            }
            now = now + wait
            #expect(rate.wait(for: cost, under: rule, at: now) == .zero, "seed \(seed)")
            rate.take(cost, under: rule, at: now)
            now = now + .milliseconds(random.int(0...20))
        }
    }

    @Test("What remains can be taken at once, and one more cannot", arguments: [UInt64](1...30))
    func remaining(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let rule = Self.anyRule(&random)
        var rate = RateLimiter()
        var now = Self.start
        for _ in 0..<200 {
            now = now + .milliseconds(random.int(0...300))
            let free = rate.remaining(under: rule, at: now)
            #expect(rate.wait(for: free, under: rule, at: now) == .zero, "seed \(seed)")
            #expect(rate.wait(for: free + 1, under: rule, at: now) != .zero, "seed \(seed)")
            if free > 0 { rate.take(random.int(1...free), under: rule, at: now) }
        }
    }

    @Test("The bucket is full again at the moment it names, and not a millisecond before")
    func resets() {
        let rule = Self.rule(7, burst: 20)
        var rate = RateLimiter()
        #expect(rate.resetsAt(under: rule, at: Self.start) == Self.start)
        rate.take(13, under: rule, at: Self.start)
        let end = rate.resetsAt(under: rule, at: Self.start)
        #expect(end - Self.start == .milliseconds(1858))
        #expect(rate.remaining(under: rule, at: end) == 20)
        #expect(rate.remaining(under: rule, at: end - .milliseconds(1)) == 19)
    }

    @Test("A cost above the burst and a bound of 0 never pass")
    func never() {
        let rate = RateLimiter()
        #expect(rate.wait(for: 21, under: Self.rule(20), at: Self.start) == nil)
        #expect(rate.wait(for: 1, under: Self.rule(0), at: Self.start) == nil)
        #expect(rate.wait(for: 1, under: Self.rule(5, burst: 0), at: Self.start) == nil)
        #expect(rate.wait(for: 0, under: Self.rule(0), at: Self.start) == .zero)
    }

    @Test("A clock that steps back gives nothing back")
    func stepBack() {
        let rule = Self.rule(10)
        var rate = RateLimiter()
        rate.take(10, under: rule, at: Self.start)
        for hours in Int64(1)...5 {
            let now = Self.start - .seconds(hours * 3600)
            #expect(rate.wait(for: 1, under: rule, at: now) != .zero)
            #expect(rate.remaining(under: rule, at: now) == 0)
        }
    }

    @Test("After the clock stepped back and a token was taken, time goes on from there")
    func goesOn() {
        let rule = Self.rule(10)
        var rate = RateLimiter()
        rate.take(9, under: rule, at: Self.start)
        let earlier = Self.start - .seconds(3600)
        #expect(rate.wait(for: 1, under: rule, at: earlier) == .zero)
        rate.take(1, under: rule, at: earlier)
        #expect(rate.wait(for: 1, under: rule, at: earlier) == .milliseconds(100))
        #expect(rate.wait(for: 1, under: rule, at: earlier + .milliseconds(100)) == .zero)
    }

    @Test("After the clock stepped back, a refusal still tells when the demand passes")
    func waitAfterStepBack() throws {
        let rule = Self.rule(10)
        var rate = RateLimiter()
        rate.take(10, under: rule, at: Self.start)
        let earlier = Self.start - .seconds(3600)
        let wait = try #require(rate.wait(for: 1, under: rule, at: earlier))
        #expect(rate.wait(for: 1, under: rule, at: earlier + wait) == .zero)
    }

    @Test("A full bucket that follows a clock which stepped back waits for its tokens alone")
    func follows() {
        let rule = Self.rule(10)
        var rate = RateLimiter()
        rate.take(10, under: rule, at: Self.start)
        let earlier = Self.start - .seconds(3600)
        rate.follow(earlier)
        #expect(rate.remaining(under: rule, at: earlier) == 0)
        #expect(rate.wait(for: 1, under: rule, at: earlier) == .milliseconds(100))
        #expect(rate.wait(for: 1, under: rule, at: earlier + .milliseconds(100)) == .zero)
    }

    @Test("A moment a little before the last one is a late request, not a step of the clock")
    func late() {
        let rule = Self.rule(10)
        var rate = RateLimiter()
        rate.take(10, under: rule, at: Self.start)
        let late = Self.start - .milliseconds(RateLimiter.latenessMax)
        rate.follow(late)
        #expect(rate.updatedAt == Self.start)
        rate.take(0, under: rule, at: late)
        #expect(rate.updatedAt == Self.start)
        rate.follow(late - .milliseconds(1))
        #expect(rate.updatedAt == late - .milliseconds(1))
    }

    @Test(
        "However requests come late, no more is granted than the rate", arguments: [UInt64](1...30))
    func lateRequests(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let rule = Self.anyRule(&random)
        var rate = RateLimiter()
        var latest = Self.start
        var granted: Int64 = 0
        for _ in 0..<500 {
            latest = latest + .milliseconds(random.int(0...10))
            let now = latest - .milliseconds(random.int(0...RateLimiter.latenessMax))
            if rate.wait(for: 1, under: rule, at: now) == .zero {
                rate.take(1, under: rule, at: now)
                granted += 1
            }
        }
        // The bucket may have begun to drain as early as the latest request came late.
        let span = (latest - Self.start).wholeMilliseconds + RateLimiter.latenessMax
        #expect(granted <= rule.burst + rule.bound * span / rule.period, "seed \(seed)")
    }

    @Test("A clock that steps forward frees one burst at most")
    func stepForward() {
        let rule = Self.rule(10, burst: 25)
        var rate = RateLimiter()
        rate.take(25, under: rule, at: Self.start)
        let later = Self.start + .seconds(100 * 366 * 86_400)
        #expect(rate.remaining(under: rule, at: later) == 25)
        rate.take(25, under: rule, at: later)
        #expect(rate.wait(for: 1, under: rule, at: later) == .milliseconds(100))
    }

    @Test("What is given back can be taken again, and never more than the burst")
    func giveBack() {
        let rule = Self.rule(10)
        var rate = RateLimiter()
        rate.take(10, under: rule, at: Self.start)
        rate.giveBack(4, under: rule)
        #expect(rate.remaining(under: rule, at: Self.start) == 4)
        rate.giveBack(100, under: rule)
        #expect(rate.remaining(under: rule, at: Self.start) == 10)
    }

    @Test("The largest bounds do not overflow")
    func extremes() {
        let largest = JSON.integerMax
        let rule = Self.rule(largest, burst: largest, period: 60_000)
        var rate = RateLimiter()
        rate.take(largest, under: rule, at: .epoch)
        #expect(rate.wait(for: largest, under: rule, at: .epoch) == .seconds(60))
        let slow = Self.rule(1, burst: largest, period: 60_000)
        var slowRate = RateLimiter()
        slowRate.take(largest, under: slow, at: Self.start)
        #expect(slowRate.wait(for: largest, under: slow, at: Self.start) != nil)
        #expect(slowRate.resetsAt(under: slow, at: Self.start).description.hasPrefix("21"))
    }

    @Test("A change of plan keeps what was used")
    func changeOfPlan() {
        var rate = RateLimiter()
        rate.take(8, under: Self.rule(10), at: Self.start)
        #expect(rate.remaining(under: Self.rule(10), at: Self.start) == 2)
        #expect(rate.remaining(under: Self.rule(100), at: Self.start) == 92)
        #expect(rate.remaining(under: Self.rule(5), at: Self.start) == 0)
    }
}
