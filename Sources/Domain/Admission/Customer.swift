/// What a customer is entitled to right now.
package struct Standing: Equatable, Sendable {
    package let planSlug: String
    package let rules: Ruleset
    package let expiresAt: Timestamp?

    package init(planSlug: String, rules: Ruleset, expiresAt: Timestamp?) {
        self.planSlug = planSlug
        self.rules = rules
        self.expiresAt = expiresAt
    }
}

/// The counts that one set of rules is held against: a customer's, or one key's.
package struct Ledger: Equatable, Sendable {
    package private(set) var tallies: [Tally] = []
    /// By the name of the limit.
    package private(set) var rates: [String: RateLimiter] = [:]

    package init() {}

    package func tally(_ metric: String) -> Tally? { tallies.first { $0.metric == metric } }

    package func rate(_ rule: RateRule) -> RateLimiter { rates[rule.name] ?? RateLimiter() }

    package mutating func restore(_ entry: Tally.Entry, at now: Timestamp) {
        edit(entry.metric, at: now) { $0.restore(entry) }
    }

    package mutating func restore(_ name: String, _ rate: RateLimiter) { rates[name] = rate }

    mutating func take(_ demand: Demand, _ rules: Ruleset.MetricRules?, at now: Timestamp) {
        edit(demand.metric, at: now) { $0.add(demand.cost, at: now) }
        for rule in rules?.rates ?? [] {
            rates[rule.name, default: RateLimiter()].take(demand.cost, under: rule, at: now)
        }
    }

    mutating func giveBack(_ demand: Demand, _ rules: Ruleset.MetricRules?, takenAt: Timestamp) {
        edit(demand.metric, at: takenAt) { $0.giveBack(demand.cost, takenAt: takenAt) }
        for rule in rules?.rates ?? [] {
            rates[rule.name, default: RateLimiter()].giveBack(demand.cost, under: rule)
        }
    }

    package var isDirty: Bool { tallies.contains { $0.isDirty } }

    package mutating func takeUnsaved() -> [Tally.Entry] {
        var entries: [Tally.Entry] = []
        for index in tallies.indices { entries += tallies[index].takeUnsaved() }
        return entries
    }

    package mutating func putBack(_ entry: Tally.Entry, at now: Timestamp) {
        edit(entry.metric, at: now) { $0.putBack(entry) }
    }

    private mutating func edit(_ metric: String, at now: Timestamp, _ body: (inout Tally) -> Void) {
        if let index = tallies.firstIndex(where: { $0.metric == metric }) {
            body(&tallies[index])
        } else {
            var tally = Tally(metric: metric, at: now)
            body(&tally)
            tallies.append(tally)
        }
    }
}

/// Everything that decides about one customer: a pure state machine, with time as an argument.
///
/// Invariants: a demand is taken from every limit that applies or from none; the sum of what was
/// granted in a window never passes its bound; counts only grow within a window, except by
/// `giveBack`.
package struct Customer: Equatable, Sendable {
    /// Nil: no active plan.
    package var standing: Standing?
    package private(set) var account = Ledger()
    /// Of keys that have limits of their own.
    package private(set) var keys: [APIKeyID: Ledger] = [:]
    /// How many of each resource exist.
    package private(set) var stocks: [String: Int64] = [:]

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
        _ demand: Demand, key: KeyRules? = nil, at now: Timestamp
    ) -> Decision {
        guard let standing else { return .unsubscribed }
        if let expiresAt = standing.expiresAt, now >= expiresAt { return .stale }
        let rules = standing.rules.rules(for: demand.metric)
        guard
            rules != nil || account.tally(demand.metric) != nil
                || account.tallies.count < Demand.metricsMax
        else { return .tooManyMetrics }

        var review = Review(demand: demand, now: now)
        review.look(at: account, rules)
        let keyRules = key?.rules.rules(for: demand.metric)
        if let key { review.look(at: keys[key.id] ?? Ledger(), keyRules) }
        review.look(atStock: standing.rules, stocks)
        if let refusal = review.refusal { return .refused(refusal, review.states) }

        account.take(demand, rules, at: now)
        if let key { keys[key.id, default: Ledger()].take(demand, keyRules, at: now) }
        if let resource = demand.resource { stocks[resource, default: 0] += 1 }
        return .granted(review.states)
    }

    /// Undoes a grant whose work then failed.
    package mutating func giveBack(_ demand: Demand, key: KeyRules? = nil, takenAt: Timestamp) {
        let rules = standing?.rules.rules(for: demand.metric)
        account.giveBack(demand, rules, takenAt: takenAt)
        if let key {
            let keyRules = key.rules.rules(for: demand.metric)
            keys[key.id, default: Ledger()].giveBack(demand, keyRules, takenAt: takenAt)
        }
        if let resource = demand.resource { remove(resource) }
    }

    /// One of a resource has ceased to exist.
    package mutating func remove(_ resource: String) {
        stocks[resource] = max(0, (stocks[resource] ?? 0) - 1)
    }

    package mutating func restore(stock resource: String, _ count: Int64) {
        stocks[resource] = count
    }

    package mutating func edit(_ key: APIKeyID?, _ body: (inout Ledger) -> Void) {
        if let key { body(&keys[key, default: Ledger()]) } else { body(&account) }
    }

    package var isDirty: Bool { account.isDirty || keys.values.contains { $0.isDirty } }
}

extension Customer {
    package typealias UnsavedCount = (key: APIKeyID?, entry: Tally.Entry)

    /// Every count the store does not have yet, taken to be saved from here on.
    package mutating func takeUnsaved() -> [UnsavedCount] {
        var unsaved = takeUnsavedOfAccount()
        for key in keys.keys {
            edit(key) { ledger in
                unsaved += ledger.takeUnsaved().map { (key, $0) }
            }
        }
        return unsaved
    }

    private mutating func takeUnsavedOfAccount() -> [UnsavedCount] {
        var unsaved: [UnsavedCount] = []
        edit(nil) { ledger in unsaved = ledger.takeUnsaved().map { (nil, $0) } }
        return unsaved
    }

    /// The rates that a restart would forget to somebody's gain: those that take longer to drain
    /// than a restart takes.
    package func slowRates() -> [(name: String, rate: RateLimiter)] {
        let restart: Int128 = 2000  // milliseconds
        return account.tallies.flatMap { tally in
            (standing?.rules.rules(for: tally.metric)?.rates ?? []).compactMap { rule in
                let isSlow =
                    Int128(rule.burst) * Int128(rule.period)
                    > Int128(rule.bound) * restart
                guard isSlow, let rate = account.rates[rule.name] else { return nil }
                return (rule.name, rate)
            }
        }
    }
}
