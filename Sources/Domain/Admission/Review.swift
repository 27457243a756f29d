/// Looks at every limit that a demand meets, before anything is taken.
struct Review {
    let demand: Demand
    let now: Timestamp
    /// Of two limits with one name, the plan's and the key's, the one with less left.
    private(set) var states: [LimitState] = []
    /// The refusal that lasts longest: at its `retryAt` all of them are over.
    private(set) var refusal: Refusal?

    init(demand: Demand, now: Timestamp) {
        self.demand = demand
        self.now = now
    }

    mutating func look(at ledger: Ledger, _ rules: Ruleset.MetricRules?) {
        guard let rules else { return }
        for rule in rules.rates { look(at: ledger.rate(rule), rule) }
        let tally = ledger.tally(rules.metric) ?? Tally(metric: rules.metric, at: now)
        for rule in rules.quotas { look(at: tally.counter(rule.window, at: now), rule) }
    }

    mutating func look(atStock rules: Ruleset, _ stocks: [String: Int64]) {
        guard let resource = demand.resource, let limit = rules.stock(resource),
            let bound = limit.bound
        else { return }
        let used = stocks[resource] ?? 0
        guard used >= bound else { return }
        // Time does not free a stock, so it outlasts every other refusal.
        refusal = Refusal(
            reason: .stock,
            state: LimitState(
                name: limit.name, allowed: bound, used: used, remaining: 0, resetsAt: now,
                windowSeconds: 0),
            retryAt: nil)
    }

    private mutating func look(at rate: RateLimiter, _ rule: RateRule) {
        let wait = rate.wait(for: demand.cost, under: rule, at: now)
        let isRefused = wait != .zero
        let free = rate.remaining(under: rule, at: now)
        let left = isRefused ? free : max(0, free - demand.cost)
        var after = rate
        if !isRefused { after.take(demand.cost, under: rule, at: now) }
        let state = LimitState(
            name: rule.name, allowed: rule.bound, used: rule.burst - left, remaining: left,
            resetsAt: after.resetsAt(under: rule, at: now), windowSeconds: rule.period / 1000)
        add(state)
        if isRefused {
            let retryAt = now + (wait ?? .milliseconds(rule.period))
            refuse(Refusal(reason: .rate, state: state, retryAt: retryAt))
        }
    }

    private mutating func look(at counter: Tally.Counter, _ rule: Ruleset.QuotaRule) {
        let isRefused = !rule.allowsOverage && counter.used + demand.cost > rule.bound
        let used = isRefused ? counter.used : counter.used + demand.cost
        let end = rule.window.end(of: counter.index)
        let state = LimitState(
            name: rule.name, allowed: rule.bound, used: used, remaining: max(0, rule.bound - used),
            resetsAt: end,
            windowSeconds: (end - rule.window.start(of: counter.index)).secondsUp)
        add(state)
        if isRefused { refuse(Refusal(reason: .quota, state: state, retryAt: end)) }
    }

    private mutating func add(_ state: LimitState) {
        guard let index = states.firstIndex(where: { $0.name == state.name }) else {
            states.append(state)
            return
        }
        if state.remaining < states[index].remaining { states[index] = state }
    }

    private mutating func refuse(_ next: Refusal) {
        guard let current = refusal else {
            refusal = next
            return
        }
        guard let currentEnd = current.retryAt, let nextEnd = next.retryAt else { return }
        if nextEnd > currentEnd { refusal = next }
    }
}
