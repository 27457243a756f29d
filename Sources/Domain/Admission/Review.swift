/// What one decision looked at and did. It is the caller's, and used again for every decision, so
/// that a warm one allocates nothing.
package struct Review: Sendable {
    /// The limits that apply, as they stand after the decision. Of two with one name, the plan's
    /// and the key's, the one with less left.
    package private(set) var states: [LimitState] = []
    /// What was counted as used: at most one for each ledger.
    package private(set) var bookings: [Booking] = []
    /// The refusal that lasts longest: at its `retryAt` all of them are over.
    private(set) var refusal: Refusal?

    package init() {
        // A plan has a handful of limits of one metric; more of them make the buffer grow once.
        states.reserveCapacity(8)
        bookings.reserveCapacity(3)
    }

    mutating func begin() {
        states.removeAll(keepingCapacity: true)
        bookings.removeAll(keepingCapacity: true)
        refusal = nil
    }

    mutating func add(_ booking: Booking) { bookings.append(booking) }

    /// Whose count is looked at, and for how much.
    struct Question {
        let cost: Int64
        let now: Timestamp
        /// Nil: the account's ledger.
        var owner: APIKeyID?
    }

    mutating func look(
        at meter: Meter, _ rules: MetricRules, _ question: Question,
        _ reservations: ReservationTable
    ) {
        if let rule = rules.minute { look(at: meter.minute, meter.lent, rule, question) }
        if let rule = rules.second { look(at: meter.second, meter.lent, rule, question) }
        for rule in rules.quotas {
            let counter = meter.tally.counter(rule.window, at: question.now)
            let used = counter.used + meter.held
            // How far it would be over, if all that is lent is spent.
            let over = used + meter.lent + question.cost - rule.bound
            let isRefused = !rule.allowsOverage && over > 0
            let shown = isRefused ? used : used + question.cost
            let state = LimitState(
                name: rule.name, allowed: rule.bound, used: shown,
                remaining: max(0, rule.bound - shown), resetsAt: counter.end,
                windowSeconds: (counter.end.milliseconds - counter.start.milliseconds) / 1000)
            add(state, question)
            guard isRefused else { continue }
            let retryAt = reservations.roomAt(
                rules.metric, by: question.owner, over: over, used: counter.used + meter.lent,
                windowEnd: counter.end)
            refuse(
                Refusal(
                    reason: .quota, state: state, retryAt: retryAt,
                    canEverPass: question.cost <= rule.bound))
        }
    }

    private mutating func look(
        at rate: RateLimiter, _ lent: Int64, _ rule: RateRule, _ question: Question
    ) {
        let now = question.now
        // Drained to now once, so that what follows has no more to do than compare.
        var after = rate
        after.take(0, under: rule, at: now)
        let wait = after.waitMilliseconds(
            for: question.cost, beside: lent, under: rule, at: now)
        let isRefused = wait != 0
        if !isRefused { after.take(question.cost, under: rule, at: now) }
        let left = after.remaining(under: rule, at: now)
        let state = LimitState(
            name: rule.name, allowed: rule.bound, used: rule.burst - left, remaining: left,
            resetsAt: after.resetsAt(under: rule, at: now), windowSeconds: rule.period / 1000)
        add(state, question)
        if isRefused {
            refuse(
                Refusal(
                    reason: .rate, state: state, retryAt: now.later(by: wait ?? rule.period),
                    canEverPass: wait != nil))
        }
    }

    mutating func look(atStock limit: Limit, used: Int64, at now: Timestamp) {
        guard let bound = limit.bound, used >= bound else { return }
        // Time does not free a stock, so it outlasts every other refusal.
        refusal = Refusal(
            reason: .stock,
            state: LimitState(
                name: limit.name, allowed: bound, used: used, remaining: 0, resetsAt: now,
                windowSeconds: 0),
            retryAt: nil, canEverPass: bound > 0)
    }

    mutating func look(
        at leases: LeaseTable, _ limit: Limit, for lease: Lease, _ question: Question
    ) {
        guard let bound = limit.bound else { return }
        let inUse = leases.inUse(lease.resource, by: question.owner)
        let isRefused = inUse >= bound
        let used = isRefused ? inUse : inUse + 1
        let nextEnd = leases.nextEnd(lease.resource, by: question.owner) ?? lease.expiresAt
        let state = LimitState(
            name: limit.name, allowed: bound, used: used, remaining: max(0, bound - used),
            resetsAt: isRefused ? nextEnd : min(nextEnd, lease.expiresAt), windowSeconds: 0)
        add(state, question)
        guard isRefused else { return }
        let room = leases.roomAt(lease.resource, by: question.owner, under: bound)
        // A bound of 0 never passes; by then every lease of now has ended or was renewed.
        let fresh = question.now.later(by: Lease.ttlSeconds.upperBound * 1000)
        refuse(
            Refusal(
                reason: .concurrency, state: state, retryAt: room ?? fresh,
                canEverPass: room != nil))
    }

    private mutating func add(_ state: LimitState, _ question: Question) {
        // Only a key's limit can have the name of one that is there already.
        guard question.owner != nil,
            let index = states.firstIndex(where: { $0.name == state.name })
        else {
            states.append(state)
            return
        }
        if state.remaining < states[index].remaining { states[index] = state }
    }

    private mutating func refuse(_ next: Refusal) {
        if let current = refusal, !next.outlasts(current) { return }
        refusal = next
    }
}

extension Refusal {
    /// One that no waiting ends outlasts all that some does.
    fileprivate func outlasts(_ other: Refusal) -> Bool {
        guard let end = retryAt, let otherEnd = other.retryAt else { return false }
        if canEverPass != other.canEverPass { return !canEverPass }
        return end > otherEnd
    }
}

extension Timestamp {
    /// Plain integers: `Duration` counts attoseconds in 128 bits, and this is done for every
    /// request.
    fileprivate func later(by span: Int64) -> Timestamp {
        Timestamp(milliseconds: milliseconds + span)
    }
}
