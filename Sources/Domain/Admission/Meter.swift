/// All that one ledger counts of one metric.
package struct Meter: Equatable, Sendable {
    package private(set) var tally: Tally
    package private(set) var minute = RateLimiter()
    package private(set) var second = RateLimiter()
    /// Units that live reservations hold.
    package private(set) var held: Int64 = 0

    init(metric: String, at now: Timestamp) { tally = Tally(metric: metric, at: now) }

    init(tally: Tally, minute: RateLimiter, second: RateLimiter, held: Int64) {
        self.tally = tally
        self.minute = minute
        self.second = second
        self.held = held
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

    mutating func giveBackRates(_ cost: Int64, _ rules: MetricRules) {
        if let rule = rules.minute { minute.giveBack(cost, under: rule) }
        if let rule = rules.second { second.giveBack(cost, under: rule) }
    }

    mutating func hold(_ amount: Int64, at now: Timestamp) {
        tally.roll(to: now)
        held += amount
    }

    mutating func endHold(_ amount: Int64) { held = max(0, held - amount) }

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
