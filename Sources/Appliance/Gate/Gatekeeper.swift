import Domain
import Store
import Synchronization

/// Decides whether a customer's request may pass, and counts it: live customers in memory, each
/// decision under one short lock, loaded from the store when first asked for.
///
/// Where several nodes share their customers, they are in Redis and not here (`SharedCustomers`):
/// then `decide` grants what this node was lent, and all that awaits asks there.
final class Gatekeeper: Sendable {
    private let stored: StoredCustomers
    private let customers: LiveCache<UserID, LiveCustomer>
    let journal: Journal
    /// Nil: this process has its customers for itself.
    let shared: SharedCustomers?
    /// Customers who used something and have not been looked at: is there news of their quotas?
    private let noticed = Mutex<Set<UserID>>([])
    private static let noticedMax = 10_000
    /// Called after a customer's plan has changed by time alone.
    private let didSettle: @Sendable (UserID) -> Void

    /// - Parameter customersMax: in memory at a time; past it, those who are idle and saved go.
    init(
        stored: StoredCustomers, journal: Journal, customersMax: Int,
        shared: SharedCustomers? = nil, didSettle: @escaping @Sendable (UserID) -> Void
    ) {
        self.stored = stored
        customers = LiveCache(capacity: customersMax) { $0.letGo() }
        self.journal = journal
        self.shared = shared
        self.didSettle = didSettle
    }

    /// Customers in memory, for the metrics.
    var looks: (hits: UInt64, misses: UInt64) { shared?.records.looks ?? customers.looks }

    // MARK: Decisions

    /// Takes the demand from every limit that applies, or throws the refusal and takes nothing.
    /// The review has the limits as they stand now.
    func admit(
        _ user: UserID, _ demand: Demand, key: Customer.KeyRules? = nil, at now: Timestamp,
        _ review: inout Review
    ) async throws(Problem) -> Acceptance {
        if let shared { return try await shared.admit(user, demand, key: key, &review) }
        return try await granted(user, at: now, &review) { record, review in
            self.admit(user, demand, key: key, at: now, &record, &review)
        }
    }

    /// Without an await: nil when the customer is not in memory, or when other nodes have a say.
    func decide(
        _ caller: Caller, _ demand: Demand, at now: Timestamp, _ review: inout Review
    ) -> Decision? {
        let (user, key) = (caller.userID, caller.keyRules)
        if let shared {
            return shared.grant(user, demand, key: key, at: now, &review).map { _ in .granted }
        }
        if let live = caller.snapshot.customer,
            let decision = live.use({ record in
                admit(user, demand, key: key, at: now, &record, &review)
            })
        {
            customers.noteHit()
            return decision
        }
        guard let live = customers.with(user, { $0 }) else { return nil }
        return live.with { record in
            let decision = admit(user, demand, key: key, at: now, &record, &review)
            caller.snapshot.setCustomer(live, meters: record.customer.account.address)
            return decision
        }
    }

    /// Nil when the customer is not in memory.
    private func with<Value: Sendable>(
        _ user: UserID, _ body: (inout LiveCustomer.Record) -> Value
    ) -> Value? {
        customers.with(user) { $0 }?.with(body)
    }

    private func admit(
        _ user: UserID, _ demand: Demand, key: Customer.KeyRules?, at now: Timestamp,
        _ record: inout LiveCustomer.Record, _ review: inout Review
    ) -> Decision {
        let decision = record.customer.admit(demand, key: key, at: now, &review)
        journal.write(review.bookings, of: user, &record.customer, &record.places)
        return decision
    }

    /// Asks a customer until there is an answer; throws all but a grant.
    ///
    /// - Parameters:
    ///   - ask: changes nothing but what it is given; where nodes race it is run again.
    ///   - undo: for a change of which it cannot be known whether it was made; where it was not,
    ///     it does nothing.
    func decided(
        _ user: UserID, at now: Timestamp, _ review: inout Review,
        _ ask: @escaping @Sendable (inout Customer, inout Review, Timestamp) -> Decision,
        undo: (@Sendable (inout Customer, Timestamp) -> Void)? = nil
    ) async throws(Problem) -> Acceptance {
        guard let shared else {
            return try await granted(user, at: now, &review) { record, review in
                ask(&record.customer, &review, now)
            }
        }
        return try await shared.decided(
            user, &review, ask, undo: undo.map { Correction(.byID, $0) })
    }

    private func granted(
        _ user: UserID, at now: Timestamp, _ review: inout Review,
        _ ask: (inout LiveCustomer.Record, inout Review) -> Decision
    ) async throws(Problem) -> Acceptance {
        while true {
            let decision = with(user) { ask(&$0, &review) }
            switch decision {
            case .granted: return .own
            case .stale: try await settle(user, at: now)
            case nil: try await load(user, at: now)
            case .some(let decision):
                throw Self.problem(decision, review.states, at: now)
            }
        }
    }

    /// Changes a customer, whatever the limits say; nil where `body` found nothing to change. As
    /// for `decided`, it may be run again.
    func edit<Value: Sendable>(
        _ user: UserID, at now: Timestamp,
        _ body: @escaping @Sendable (inout Customer, Timestamp) -> Value?
    ) async throws(Problem) -> (Value, Acceptance)? {
        if let shared { return try await shared.edit(user, body) }
        return try await current(user, at: now) { body(&$0, now) }.map { ($0, Acceptance.own) }
    }

    /// What all nodes have granted: they are asked, and one that does not tell is a second late.
    func report(_ user: UserID, at now: Timestamp) async throws(Problem) -> UsageReport {
        _ = try await shared?.gather(user, isRefused: false)
        return try await look(user, at: now) { $0.report(at: $1) }
    }

    /// Reads a customer as they are now.
    func look<Value: Sendable>(
        _ user: UserID, at now: Timestamp, _ body: (Customer, Timestamp) -> Value
    ) async throws(Problem) -> Value {
        if let shared { return try await shared.look(user, body) }
        return try await current(user, at: now) { body($0, now) }
    }

    private func current<Value: Sendable>(
        _ user: UserID, at now: Timestamp, _ body: (inout Customer) -> Value
    ) async throws(Problem) -> Value {
        while true {
            let value: Value?? = with(user) { record in
                let end = record.customer.standing?.expiresAt
                return end.map { now >= $0 } ?? false ? nil : body(&record.customer)
            }
            switch value {
            case .some(.some(let value)): return value
            case .some(nil): try await settle(user, at: now)
            case nil: try await load(user, at: now)
            }
        }
    }

    // MARK: After a change

    /// Undoes a grant whose work then failed.
    func giveBack(
        _ user: UserID, _ demand: Demand, key: Customer.KeyRules?, _ bookings: [Booking],
        after acceptance: Acceptance
    ) async {
        if let shared {
            return await shared.giveBack(user, demand, key: key, bookings, after: acceptance)
        }
        with(user) { record in
            var review = Review()
            record.customer.giveBack(demand, key: key, bookings, &review)
            journal.write(review.bookings, of: user, &record.customer, &record.places)
        }
    }

    /// Tells a customer's state of what the store has already. One who is not in memory is loaded
    /// as the store has them, and a load that began before is repeated.
    ///
    /// - Parameter acceptance: of the change that this takes back or follows from.
    func correct(
        _ user: UserID, _ kind: Correction.Kind, at now: Timestamp,
        after acceptance: Acceptance? = nil,
        _ body: @escaping @Sendable (inout Customer, Timestamp) -> Void
    ) async {
        if let shared {
            return await shared.correct(user, Correction(kind, body), after: acceptance)
        }
        with(user) { body(&$0.customer, now) }
        customers.markLoadStale(user)
    }

    /// The store has what a state took before. Where the state has begun anew meanwhile, it may
    /// have been loaded before the store had it, and is told once more.
    func confirm(
        _ user: UserID, _ kind: Correction.Kind, _ acceptance: Acceptance,
        _ body: @escaping @Sendable (inout Customer, Timestamp) -> Void
    ) async {
        guard let shared, shared.epoch.current.name != acceptance.epoch else { return }
        await shared.correct(user, Correction(kind, body))
    }

    // MARK: Loading

    func load(_ user: UserID, at now: Timestamp) async throws(Problem) {
        let isThere = try await customers.load(user) { () throws(Problem) in
            try await self.stored.find(user, at: now).map { LiveCustomer($0) }
        }
        if !isThere { throw Authenticator.refused }
    }

    func standing(of user: UserID, _ db: any Connection) throws(Problem) -> Standing? {
        try stored.standing(of: user, db)
    }

    /// Turns a subscription that has run out to `expired` and falls back to the default plan.
    func settle(_ user: UserID, at now: Timestamp) async throws(Problem) {
        if let shared { return try await shared.settle(user) }
        setStanding(user, try await stored.settle(user, at: now))
        didSettle(user)
    }

    // MARK: Changes, after their commit and before their answer

    func setStanding(_ user: UserID, _ standing: Standing?) {
        if let shared { return shared.standingChanged(of: user) }
        with(user) { $0.customer.standing = standing }
        customers.markLoadStale(user)
    }

    /// A plan's limits have changed: for everybody who is on it, from the next request on.
    func setRules(of plan: Plan) {
        let (slug, rules) = (plan.slug, stored.rules(of: plan))
        if let shared { return shared.standingsChanged(on: slug) }
        customers.updateAll { live in
            live.with { record in
                guard let old = record.customer.standing, old.planSlug == slug else { return }
                record.customer.standing = Standing(
                    planSlug: slug, rules: rules, expiresAt: old.expiresAt)
            }
        }
    }

    func forget(_ user: UserID) async {
        if let shared { return await shared.forget(user) }
        if let record = customers.remove(user)?.leave() { journal.forget(record.places) }
    }

    // MARK: Changes of other nodes

    /// Something of a customer's subscription: the next decision reads it.
    func standingChanged(of user: UserID) { shared?.standingChanged(of: user) }

    /// A plan.
    func standingsChanged(on slug: String) { shared?.standingsChanged(on: slug) }

    /// Any of them.
    func standingsChanged() { shared?.standingsChanged() }

    // MARK: Folding

    /// What a batch has of some customers, and the rates that a restart should not forget.
    func unsaved(_ part: Journal.Part) -> (deltas: [UsageDelta], rates: [RateStates.Entry]) {
        if let shared { return shared.unsaved(part) }
        var deltas: [UsageDelta] = []
        var rates: [RateStates.Entry] = []
        for user in part.users {
            with(user) { record in
                deltas += journal.deltas(record.places, batch: part.batch)
                rates += record.customer.slowRates(of: user)
            }
        }
        return (deltas, rates)
    }

    /// What this node has counted for a customer and the store may not have.
    func unfolded(_ user: UserID) -> [UnfoldedUse] {
        if let shared { return shared.places.unfolded(user) }
        return with(user) { journal.unfolded($0.places) } ?? []
    }

    /// Looks at a customer with the next fold: they have used something.
    func notice(_ user: UserID) {
        noticed.withLock { if $0.count < Self.noticedMax { $0.insert(user) } }
    }

    /// Those who were noticed since, so many at a time.
    func takeNoticed(atMost most: Int) -> [UserID] {
        noticed.withLock { users in
            let taken = Array(users.prefix(most))
            users.subtract(taken)
            return taken
        }
    }

    /// What there is to tell of the quotas of customers in memory.
    func news(of users: some Sequence<UserID>, at now: Timestamp) -> [QuotaNews] {
        if let shared { return shared.news(of: users, at: now) }
        return users.flatMap { user in
            with(user) { $0.customer.news(of: user, told: $0.told, at: now) } ?? []
        }
    }

    /// The store has it, for good.
    func didTell(_ news: [QuotaNews]) {
        if let shared { return shared.didTell(news) }
        for item in news {
            with(item.user) { $0.told.note(item.use, item.threshold) }
        }
    }

    /// The store has what `unsaved` said of that part.
    func didFold(_ part: Journal.Part) {
        journal.didFold(part)
        if let shared { return shared.didFold(part) }
        for user in part.users {
            with(user) {
                journal.tidy(&$0.customer, &$0.places, folded: part.batch)
            }
        }
    }
}

extension Gatekeeper {
    /// What a client is told of a decision that is not a grant.
    static func problem(
        _ decision: Decision, _ states: [LimitState], at now: Timestamp
    ) -> Problem {
        switch decision {
        case .granted, .stale: .internal(cause: "\(decision) is no refusal")
        case .refused(let refusal): problem(refusal, states, at: now)
        case .unsubscribed: Problem(.subscriptionRequired, "There is no active plan.")
        case .tooManyMetrics:
            .invalid("metric", "too_many", "At most \(Demand.metricsMax) metrics a customer.")
        case .tooManyLive: Problem(.conflict, "At most \(Lease.perCustomerMax) at one time.")
        case .lost: Problem(.reservationLost, "This reservation has ended.")
        }
    }

    private static func problem(
        _ refusal: Refusal, _ states: [LimitState], at now: Timestamp
    ) -> Problem {
        let state = refusal.state
        var problem =
            switch refusal.reason {
            case .rate: Problem(.rateLimited, "The plan allows no more at this moment.")
            case .quota: Problem(.quotaExceeded, "The plan's quota is used up.")
            case .concurrency: Problem(.concurrencyExceeded, "Too many at one time.")
            case .stock: Problem(.limitReached, "The plan allows no more of these.")
            }
        if !refusal.canEverPass, refusal.reason != .stock {
            problem.detail = "This is more than \(state.name) ever allows."
        }
        problem.members = [
            JSON.Member("limit", .string(state.name)),
            JSON.Member("allowed", .integer(state.allowed)),
            JSON.Member("used", .integer(state.used)),
            JSON.Member(
                "resets_at",
                refusal.reason == .stock ? .null : .string(state.resetsAt.description)),
        ]
        problem.retryAfter = refusal.retryAt.map { $0 - now }
        problem.limits = states
        problem.limitsAt = now
        return problem
    }
}
