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

    package init(backlog: Int128 = 0, updatedAt: Timestamp = .epoch) {
        self.backlog = backlog
        self.updatedAt = updatedAt
    }

    package func backlog(under rule: RateRule, at now: Timestamp) -> Int128 {
        let elapsed = now.milliseconds - updatedAt.milliseconds
        guard elapsed > 0 else { return backlog }
        return max(0, backlog - Int128(elapsed) * Int128(rule.bound))
    }

    /// How long until `cost` passes: zero now, nil never (a cost above the burst, a bound of 0).
    package func wait(for cost: Int64, under rule: RateRule, at now: Timestamp) -> Duration? {
        let capacity = Int128(rule.burst) * Int128(rule.period)
        let demand = Int128(cost) * Int128(rule.period)
        let excess = backlog(under: rule, at: now) + demand - capacity
        if excess <= 0 { return .zero }
        guard demand <= capacity, rule.bound > 0 else { return nil }
        let bound = Int128(rule.bound)
        // After a step back of the clock nothing drains before it is where it was.
        let behind = Int128(max(0, updatedAt.milliseconds - now.milliseconds))
        return .milliseconds(Int64(clamping: behind + (excess + bound - 1) / bound))
    }

    package mutating func take(_ cost: Int64, under rule: RateRule, at now: Timestamp) {
        backlog = backlog(under: rule, at: now) + Int128(cost) * Int128(rule.period)
        updatedAt = now
    }

    package mutating func giveBack(_ cost: Int64, under rule: RateRule) {
        backlog = max(0, backlog - Int128(cost) * Int128(rule.period))
    }

    /// Whole tokens that could be taken now.
    package func remaining(under rule: RateRule, at now: Timestamp) -> Int64 {
        let capacity = Int128(rule.burst) * Int128(rule.period)
        let free = (capacity - backlog(under: rule, at: now)) / Int128(rule.period)
        return Int64(clamping: max(0, free))
    }

    /// When the bucket will be empty again.
    package func resetsAt(under rule: RateRule, at now: Timestamp) -> Timestamp {
        let backlog = backlog(under: rule, at: now)
        guard backlog > 0, rule.bound > 0 else { return now }
        let bound = Int128(rule.bound)
        // Bounded: a burst of 2^53 at one token a minute would end past the last year there is.
        let wait = min((backlog + bound - 1) / bound, 100 * 366 * 86_400_000)
        return now + .milliseconds(Int64(wait))
    }
}
