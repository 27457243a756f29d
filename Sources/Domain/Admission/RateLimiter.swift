/// A rate: `bound` tokens a period, up to `burst` of them at once.
package struct RateRule: Equatable, Sendable {
    package let name: String
    package let bound: Int64
    package let burst: Int64
    /// Milliseconds in which `bound` tokens come back.
    package let period: Int64

    package init(name: String, bound: Int64, burst: Int64? = nil, period: Int64) {
        self.name = name
        self.bound = bound
        self.burst = burst ?? bound
        self.period = period
    }

    /// A full bucket, in tokens × milliseconds of the period.
    var capacity: Int128 { Int128(burst) * Int128(period) }
}

/// The generic cell rate algorithm (ITU-T I.371), as a leaking bucket and exact in integers.
///
/// The bucket is kept in units of token × period, where it drains by `bound` each millisecond: no
/// rate, however odd or high, is ever rounded. The unit does not depend on the bound, so a change
/// of plan keeps what was used. A clock that steps back drains nothing and goes on from there; one
/// that steps forward frees one burst at most.
package struct RateLimiter: Equatable, Sendable {
    /// Used and not drained yet, in tokens × milliseconds of the period.
    package private(set) var backlog: Int128
    package private(set) var updatedAt: Timestamp

    /// Milliseconds that a moment may lie before one that was seen already without the clock having
    /// stepped back: requests take their time first and then wait for each other, or for the
    /// store. To go back with each of them would drain those milliseconds again and again.
    package static let latenessMax: Int64 = 1000

    package init(backlog: Int128 = 0, updatedAt: Timestamp = .epoch) {
        self.backlog = backlog
        self.updatedAt = updatedAt
    }

    package func backlog(under rule: RateRule, at now: Timestamp) -> Int128 {
        let elapsed = now.milliseconds - updatedAt.milliseconds
        guard elapsed > 0, backlog > 0 else { return backlog }
        return max(0, backlog - Int128(elapsed) * Int128(rule.bound))
    }

    /// How long until `cost` passes: zero now, nil never (a cost above the burst, a bound of 0).
    package func wait(for cost: Int64, under rule: RateRule, at now: Timestamp) -> Duration? {
        waitMilliseconds(for: cost, under: rule, at: now).map { .milliseconds($0) }
    }

    /// - Parameter lent: tokens that somebody may spend by then.
    func waitMilliseconds(
        for cost: Int64, beside lent: Int64 = 0, under rule: RateRule, at now: Timestamp
    ) -> Int64? {
        let demand = Int128(cost) * Int128(rule.period)
        let filled = backlog(under: rule, at: now) + Int128(lent) * Int128(rule.period)
        let excess = filled + demand - rule.capacity
        if excess <= 0 { return 0 }
        guard demand <= rule.capacity, rule.bound > 0 else { return nil }
        let drained = Self.dividedUp(excess, by: rule.bound)
        // Nothing drains before the clock is where it was.
        let behind = max(0, updatedAt.milliseconds - now.milliseconds)
        return Int64(min(Int128(behind) + drained, Self.waitMax))
    }

    /// A hundred years. A burst of 2^53 at one token a minute would end past the last year there
    /// is, and past the last moment that 64 bits can say.
    private static let waitMax: Int128 = 100 * 366 * 86_400_000

    /// Goes on from where a clock is that stepped back, with what was used: otherwise a full bucket
    /// would wait for as long as the step was.
    package mutating func follow(_ now: Timestamp) {
        if updatedAt.milliseconds - now.milliseconds > Self.latenessMax { updatedAt = now }
    }

    package mutating func take(_ cost: Int64, under rule: RateRule, at now: Timestamp) {
        follow(now)
        backlog = backlog(under: rule, at: now) + Int128(cost) * Int128(rule.period)
        updatedAt = max(updatedAt, now)
    }

    package mutating func giveBack(_ cost: Int64, under rule: RateRule) {
        backlog = max(0, backlog - Int128(cost) * Int128(rule.period))
    }

    /// Whole tokens that could be taken now.
    package func remaining(under rule: RateRule, at now: Timestamp) -> Int64 {
        let free = rule.capacity - backlog(under: rule, at: now)
        return free <= 0 ? 0 : Int64(clamping: Self.divided(free, by: rule.period))
    }

    /// When the bucket will be empty again.
    package func resetsAt(under rule: RateRule, at now: Timestamp) -> Timestamp {
        let backlog = backlog(under: rule, at: now)
        guard backlog > 0, rule.bound > 0 else { return now }
        let wait = min(Self.dividedUp(backlog, by: rule.bound), Self.waitMax)
        return Timestamp(milliseconds: max(now, updatedAt).milliseconds + Int64(wait))
    }

    private static func dividedUp(_ dividend: Int128, by divisor: Int64) -> Int128 {
        divided(dividend + Int128(divisor - 1), by: divisor)
    }

    /// Nearly every number here has 64 bits, where division is one instruction and not a call.
    private static func divided(_ dividend: Int128, by divisor: Int64) -> Int128 {
        guard let short = Int64(exactly: dividend) else { return dividend / Int128(divisor) }
        return Int128(short / divisor)
    }
}
