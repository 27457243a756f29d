/// All that one ledger counts of one metric.
package struct Meter: Equatable, Sendable {
    package private(set) var tally: Tally
    package private(set) var minute = RateLimiter()
    package private(set) var second = RateLimiter()
    /// Units that live reservations hold.
    package private(set) var held: Int64 = 0
    /// Units of live blocks: taken for every decision, and shown by none, since nobody may ever
    /// spend them.
    package private(set) var lent: Int64 = 0

    init(metric: String, at now: Timestamp) { tally = Tally(metric: metric, at: now) }

    init(tally: Tally, minute: RateLimiter, second: RateLimiter, held: Int64, lent: Int64) {
        self.tally = tally
        self.minute = minute
        self.second = second
        self.held = held
        self.lent = lent
    }

    package var metric: String { tally.metric }

    package subscript(period: Limit.RatePeriod) -> RateLimiter {
        switch period {
        case .minute: minute
        case .second: second
        }
    }

    mutating func restore(_ rate: RateLimiter, per period: Limit.RatePeriod) {
        switch period {
        case .minute: minute = rate
        case .second: second = rate
        }
    }

    mutating func follow(_ now: Timestamp) {
        minute.follow(now)
        second.follow(now)
    }

    mutating func debitRates(_ cost: Int64, _ rules: MetricRules, at now: Timestamp) {
        if let rule = rules.minute { minute.take(cost, under: rule, at: now) }
        if let rule = rules.second { second.take(cost, under: rule, at: now) }
    }

    /// By rules that are not known: none drains anything, since the latest moment that is. That is
    /// too much for a while, and never too little. Rates of which nothing was ever taken have none.
    mutating func debitRates(_ cost: Int64, at now: Timestamp) {
        for period in Limit.RatePeriod.allCases where self[period] != RateLimiter() {
            var rate = self[period]
            let still = RateRule(name: "", bound: 0, period: period.milliseconds)
            rate.take(cost, under: still, at: now)
            restore(rate, per: period)
        }
    }

    mutating func giveBackRates(_ cost: Int64, _ rules: MetricRules) {
        if let rule = rules.minute { minute.giveBack(cost, under: rule) }
        if let rule = rules.second { second.giveBack(cost, under: rule) }
    }

    mutating func hold(_ amount: Int64, at now: Timestamp) {
        tally.roll(to: now)
        held += amount
    }

    mutating func endHold(_ amount: Int64) { held = max(0, held - amount) }

    mutating func lend(_ amount: Int64, _ rules: MetricRules?, at now: Timestamp) {
        tally.roll(to: now)
        // Drained up to here, for whoever ends the block without knowing the rules.
        if let rules { debitRates(0, rules, at: now) }
        lent += amount
    }

    mutating func endLoan(_ amount: Int64) { lent -= amount }

    /// Counts the cost as used, and says where.
    mutating func book(_ cost: Int64, owner: APIKeyID?, at now: Timestamp) -> Booking {
        tally.add(cost, at: now)
        return booking(cost, owner: owner)
    }

    /// Undoes a booking; what comes back is for the journal, with the cost below 0.
    mutating func giveBack(_ booking: Booking) -> Booking {
        tally.giveBack(booking.cost, hourIndex: booking.hourIndex)
        let isSameHour = booking.hourIndex == tally.hourIndex
        return Booking(
            owner: booking.owner, metric: metric, hourIndex: booking.hourIndex,
            cost: -booking.cost, place: isSameHour ? tally.place : nil)
    }

    mutating func setPlace(_ place: Int64, hourIndex: Int64) {
        tally.setPlace(place, hourIndex: hourIndex)
    }

    mutating func forget(_ place: Int64) { tally.forget(place) }

    mutating func add(_ cost: Int64, usedAt then: Timestamp, at now: Timestamp) {
        tally.add(cost, usedAt: then, at: now)
    }

    mutating func takeBack(_ cost: Int64, usedAt then: Timestamp) {
        tally.giveBack(cost, hourIndex: Window.hour.index(of: then))
    }

    mutating func restore(_ entry: Tally.Entry) { tally.restore(entry) }

    private func booking(_ cost: Int64, owner: APIKeyID?) -> Booking {
        Booking(
            owner: owner, metric: metric, hourIndex: tally.hourIndex, cost: cost,
            place: tally.place)
    }
}

/// What was counted as used in one ledger, for the caller to journal.
package struct Booking: Equatable, Sendable {
    /// The key whose ledger it is; nil is the account's.
    package let owner: APIKeyID?
    package let metric: String
    package let hourIndex: Int64
    /// Below 0 when it was given back.
    package let cost: Int64
    /// Where that hour's count is journalled, if the caller has said so.
    package let place: Int64?

    /// What takes it back, for a journal that finds the place itself.
    package var undone: Booking {
        Booking(owner: owner, metric: metric, hourIndex: hourIndex, cost: -cost, place: nil)
    }
}
