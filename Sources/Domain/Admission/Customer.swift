/// Everything that decides about one customer: a pure state machine, with time as an argument.
///
/// Invariants: a demand is taken from every limit that applies or from none; the sum of what was
/// granted, held and lent in a window never passes its bound; counts only grow within a window,
/// except by `giveBack`.
///
/// Time acts only when it is asked for (`advance`): what has ended gives itself back before the
/// next decision, without a timer.
package struct Customer: Equatable, Sendable {
    /// Nil: no active plan.
    package var standing: Standing?
    package internal(set) var account = Ledger()
    /// Of keys that have limits of their own; those of a revoked one go (`forget`).
    package internal(set) var keys: [APIKeyID: Ledger] = [:]
    package internal(set) var reservations = ReservationTable()
    package internal(set) var leases = LeaseTable()
    /// What nodes have taken ahead, the soonest to expire first.
    package internal(set) var blocks: [Block] = []
    /// No block is lent before.
    var blocksFrom = Timestamp.epoch
    /// How many of each resource exist.
    package internal(set) var stocks: [String: Int64] = [:]
    /// The latest moment of a decision, since the clock last stepped back.
    var clock = Timestamp.epoch

    package init(standing: Standing?) { self.standing = standing }

    /// The key a demand came with, when it has limits of its own.
    package struct KeyRules: Sendable {
        package let id: APIKeyID
        package let rules: Ruleset

        package init(id: APIKeyID, rules: Ruleset) {
            self.id = id
            self.rules = rules
        }
    }

    package mutating func admit(
        _ demand: Demand, key: KeyRules? = nil, at now: Timestamp, _ review: inout Review
    ) -> Decision {
        let decision = examine(demand, key: key, at: now, &review)
        guard case .granted = decision else { return decision }
        take(
            demand.metric, rates: demand.cost, used: demand.cost, key: key, at: now, &review)
        if let resource = demand.resource { add(resource) }
        return .granted
    }

    /// Undoes a grant whose work then failed. `bookings` are those of the grant; those of this are
    /// in the review.
    package mutating func giveBack(
        _ demand: Demand, key: KeyRules? = nil, _ bookings: [Booking], _ review: inout Review
    ) {
        review.begin()
        for booking in bookings {
            let rules = booking.owner == nil ? standing?.rules : key?.rules
            // The journal has what was forgotten with its key.
            var undone = booking.undone
            editIfThere(booking.owner) { ledger in
                ledger.editIfThere(booking.metric) { meter in
                    undone = meter.giveBack(booking)
                    guard let rules = rules?.rules(for: booking.metric) else { return }
                    meter.giveBackRates(booking.cost, rules)
                }
            }
            review.add(undone)
        }
        if let resource = demand.resource { remove(resource) }
    }

    /// Remembers where a booking was journalled, so that the next of its hour finds it at once.
    package mutating func setPlace(_ place: Int64, of booking: Booking) {
        editIfThere(booking.owner) { ledger in
            ledger.editIfThere(booking.metric) {
                $0.setPlace(place, hourIndex: booking.hourIndex)
            }
        }
    }

    /// The journal has given a place back: it may be another customer's by the next request.
    package mutating func forget(place: Int64) {
        account.forget(place)
        for key in keys.keys { edit(key) { $0.forget(place) } }
    }

    /// Lets time act: what has ended gives itself back, and rates go on from where a clock is that
    /// stepped back. Every decision begins with it.
    package mutating func advance(to now: Timestamp) {
        if now.milliseconds < clock.milliseconds - RateLimiter.latenessMax {
            clock = now
            blocksFrom = min(blocksFrom, now + .milliseconds(Block.recallPause))
            account.follow(now)
            for key in keys.keys { edit(key) { $0.follow(now) } }
        }
        clock = max(clock, now)
        if reservations.hasEnded(at: now) {
            for reservation in reservations.removeEnded(at: now) { endHold(of: reservation) }
        }
        if leases.hasEnded(at: now) { leases.removeEnded(at: now) }
    }

    /// One more of a resource exists.
    package mutating func add(_ resource: String) { stocks[resource, default: 0] += 1 }

    /// One of a resource has ceased to exist.
    package mutating func remove(_ resource: String) {
        stocks[resource] = max(0, (stocks[resource] ?? 0) - 1)
    }

    package mutating func restore(stock resource: String, _ count: Int64) {
        stocks[resource] = count
    }

    /// The account's ledger, or that of a key, which is made where there is none.
    package mutating func edit(_ key: APIKeyID?, _ body: (inout Ledger) -> Void) {
        if let key { body(&keys[key, default: Ledger()]) } else { body(&account) }
    }

    mutating func editIfThere(_ key: APIKeyID?, _ body: (inout Ledger) -> Void) {
        guard let key else { return body(&account) }
        if let index = keys.index(forKey: key) { body(&keys.values[index]) }
    }

    // MARK: Keys that were revoked

    /// When the last live reservation or block of a key ends. Until then it may give back into its
    /// ledger.
    package func lastHold(of key: APIKeyID, at now: Timestamp) -> Timestamp? {
        let held = reservations.live.last { $0.keyID == key }?.expiresAt
        let lent = blocks.last { $0.keyID == key }?.expiresAt
        return [held, lent].compactMap(\.self).max().flatMap { now < $0 ? $0 : nil }
    }

    /// Nobody can ask with this key any more: what was counted of it bounds nothing. Not while
    /// something of it is held or lent; a block that has expired is counted first, for without its
    /// ledger the state would be out of balance.
    package mutating func forget(_ key: APIKeyID, at now: Timestamp) {
        endBlocks(at: now)
        if lastHold(of: key, at: now) == nil { keys[key] = nil }
    }
}

extension Customer {
    /// Looks at every limit that a demand meets and takes nothing: granted when all have room.
    mutating func examine(
        _ demand: Demand, key: KeyRules?, at now: Timestamp, _ review: inout Review
    ) -> Decision {
        review.begin()
        guard let standing else { return .unsubscribed }
        if let expiresAt = standing.expiresAt, now >= expiresAt { return .stale }
        let rules = standing.rules.rules(for: demand.metric)
        let index = account.index(of: demand.metric)
        guard rules != nil || index != nil || account.meters.count < Demand.metricsMax else {
            return .tooManyMetrics
        }
        advance(to: now)
        look(demand.metric, cost: demand.cost, key: key, at: now, &review)
        if let resource = demand.resource, let limit = standing.rules.stock(resource) {
            review.look(atStock: limit, used: stocks[resource] ?? 0, at: now)
        }
        guard let refusal = review.refusal else { return .granted }
        // Nothing is taken, so the other limits are shown as they stand.
        review.begin()
        look(demand.metric, cost: 0, key: key, at: now, &review)
        return .refused(refusal)
    }

    /// Every rate and quota of a metric, the key's too.
    func look(
        _ metric: String, cost: Int64, key: KeyRules?, at now: Timestamp, _ review: inout Review
    ) {
        var question = Review.Question(cost: cost, now: now)
        if let rules = standing?.rules.rules(for: metric) {
            look(account, rules, question, &review)
        }
        guard let key, let rules = key.rules.rules(for: metric) else { return }
        question.owner = key.id
        look(keys[key.id] ?? Ledger(), rules, question, &review)
    }

    func look(
        _ ledger: Ledger, _ rules: MetricRules, _ question: Review.Question,
        _ review: inout Review
    ) {
        if let index = ledger.index(of: rules.metric) {
            review.look(at: ledger.meters[index], rules, question, reservations)
        } else {
            let fresh = Meter(metric: rules.metric, at: question.now)
            review.look(at: fresh, rules, question, reservations)
        }
    }

    /// Takes what was examined: `rates` from the rates, and `used` from the quotas for good.
    mutating func take(
        _ metric: String, rates: Int64, used: Int64, key: KeyRules?, at now: Timestamp,
        _ review: inout Review
    ) {
        charge(nil, standing?.rules, metric, rates: rates, used: used, at: now, &review)
        guard let key else { return }
        charge(key.id, key.rules, metric, rates: rates, used: used, at: now, &review)
    }

    /// Takes from one ledger: the account's, or that of a key.
    mutating func charge(
        _ owner: APIKeyID?, _ rules: Ruleset?, _ metric: String, rates: Int64, used: Int64,
        at now: Timestamp, _ review: inout Review
    ) {
        guard rates > 0 || used > 0 else { return }
        let rules = rules?.rules(for: metric)
        edit(owner) { ledger in
            ledger.edit(metric, at: now) { meter in
                if let rules, rates > 0 { meter.debitRates(rates, rules, at: now) }
                if used > 0 { review.add(meter.book(used, owner: owner, at: now)) }
            }
        }
    }

    /// The rates that a restart would forget to somebody's gain: those that take longer to drain
    /// than a restart takes.
    package func slowRates() -> [(name: String, rate: RateLimiter)] {
        let restart: Int128 = 2000  // milliseconds
        var slow: [(name: String, rate: RateLimiter)] = []
        for meter in account.meters {
            let rules = standing?.rules.rules(for: meter.metric)
            for period in Limit.RatePeriod.allCases {
                guard let rule = rules?[period], meter[period] != RateLimiter(),
                    rule.capacity > Int128(rule.bound) * restart
                else { continue }
                slow.append((rule.name, meter[period]))
            }
        }
        return slow
    }
}
