import Domain
import Store
import Synchronization

/// Decides whether a customer's request may pass, and counts it: live customers in memory, each
/// decision under one short lock, loaded from the store when first asked for.
final class Gatekeeper: Sendable {
    struct Record: Sendable {
        var customer: Customer
        /// A record with counts that the store does not have is never dropped from memory: loading
        /// it again would bring back counts from before.
        var places = Journal.Places()
        /// Of quotas; what was told before a restart, the store knows.
        var told = QuotaNotes()
        /// Not once another node has changed the subscription or its plan.
        fileprivate var isStandingKnown = true
        /// Counts what has changed the standing, so that none is set that was read before.
        fileprivate var standingChanges: UInt64 = 0

        fileprivate mutating func setStanding(_ standing: Standing?) {
            customer.standing = standing
            standingChanges &+= 1
        }

        fileprivate mutating func forgetStanding() {
            isStandingKnown = false
            standingChanges &+= 1
        }

        /// What there is to tell.
        fileprivate func news(of user: UserID, at now: Timestamp) -> [QuotaNews] {
            customer.quotasToTell(at: now).compactMap { use in
                guard let threshold = use.threshold, !told.has(use, threshold) else { return nil }
                return QuotaNews(user: user, use: use, threshold: threshold)
            }
        }
    }

    private let store: any Database
    private let customers: LiveCache<UserID, Record>
    let journal: Journal
    private let rulesets = Rulesets()
    /// Customers who used something and have not been looked at: is there news of their quotas?
    private let noticed = Mutex<Set<UserID>>([])
    private static let noticedMax = 10_000
    /// Called after a customer's plan has changed by time alone.
    private let didSettle: @Sendable (UserID) -> Void

    /// - Parameter customersMax: in memory at a time; past it, those who are idle and saved go.
    init(
        store: any Database, counters: CounterFile, customersMax: Int,
        didSettle: @escaping @Sendable (UserID) -> Void
    ) {
        self.store = store
        customers = LiveCache(capacity: customersMax) { $0.places.isEmpty }
        journal = Journal(file: counters)
        self.didSettle = didSettle
    }

    /// Customers in memory, for the metrics.
    var looks: (hits: UInt64, misses: UInt64) { customers.looks }

    // MARK: Decisions

    /// Takes the demand from every limit that applies, or throws the refusal and takes nothing.
    /// The review has the limits as they stand now.
    func admit(
        _ user: UserID, _ demand: Demand, key: Customer.KeyRules? = nil, at now: Timestamp,
        _ review: inout Review
    ) async throws(Problem) {
        try await decided(user, at: now, &review) { record, review in
            self.admit(user, demand, key: key, at: now, &record, &review)
        }
    }

    /// Without an await: nil when the customer is not in memory.
    func decide(
        _ user: UserID, _ demand: Demand, key: Customer.KeyRules?, at now: Timestamp,
        _ review: inout Review
    ) -> Decision? {
        customers.with(user) { record in
            guard record.isStandingKnown else { return .stale }
            return admit(user, demand, key: key, at: now, &record, &review)
        }
    }

    private func admit(
        _ user: UserID, _ demand: Demand, key: Customer.KeyRules?, at now: Timestamp,
        _ record: inout Record, _ review: inout Review
    ) -> Decision {
        let decision = record.customer.admit(demand, key: key, at: now, &review)
        journal.write(review.bookings, of: user, &record.customer, &record.places)
        return decision
    }

    /// Asks a customer, in memory, until there is an answer; throws all but a grant.
    func decided(
        _ user: UserID, at now: Timestamp, _ review: inout Review,
        _ ask: (inout Record, inout Review) -> Decision
    ) async throws(Problem) {
        while true {
            let decision = customers.with(user) { record in
                record.isStandingKnown ? ask(&record, &review) : .stale
            }
            switch decision {
            case .granted: return
            case .stale: try await renewStanding(user, at: now)
            case nil: try await load(user, at: now)
            case .some(let decision):
                throw Self.problem(decision, review.states, at: now)
            }
        }
    }

    /// Undoes a grant whose work then failed.
    func giveBack(
        _ user: UserID, _ demand: Demand, key: Customer.KeyRules?, _ bookings: [Booking]
    ) {
        customers.with(user) { record in
            var review = Review()
            record.customer.giveBack(demand, key: key, bookings, &review)
            journal.write(review.bookings, of: user, &record.customer, &record.places)
        }
    }

    /// Changes a customer who is in memory; one who is not is loaded as the store has them.
    /// For what the store has already: a load that began before is repeated.
    func change(_ user: UserID, _ body: (inout Customer) -> Void) {
        customers.with(user) { body(&$0.customer) }
        customers.markLoadStale(user)
    }

    /// One of the customer's things is gone.
    func remove(_ resource: String, of user: UserID) { change(user) { $0.remove(resource) } }

    func report(_ user: UserID, at now: Timestamp) async throws(Problem) -> UsageReport {
        try await look(user, at: now) { $0.report(at: now) }
    }

    /// Reads a customer as they are now.
    func look<Value: Sendable>(
        _ user: UserID, at now: Timestamp, _ body: (inout Customer) -> Value
    ) async throws(Problem) -> Value {
        while true {
            let value: Value?? = customers.with(user) { record in
                let end = record.customer.standing?.expiresAt
                let isStale = !record.isStandingKnown || end.map { now >= $0 } ?? false
                return isStale ? nil : body(&record.customer)
            }
            switch value {
            case .some(.some(let value)): return value
            case .some(nil): try await renewStanding(user, at: now)
            case nil: try await load(user, at: now)
            }
        }
    }

    // MARK: Loading

    func load(_ user: UserID, at now: Timestamp) async throws(Problem) {
        let isThere = try await customers.load(user) { () throws(Problem) in
            try await self.store.read { db throws(Problem) in
                try self.customer(user, db, at: now).map { Record(customer: $0) }
            }
        }
        if !isThere { throw Authenticator.refused }
    }

    private func customer(
        _ user: UserID, _ db: any Connection, at now: Timestamp
    ) throws(Problem) -> Customer? {
        guard try db.accounts.find(user) != nil else { return nil }
        var customer = Customer(standing: try standing(of: user, db))
        for entry in try db.usage.current(of: user, at: now) {
            customer.edit(entry.key) { $0.restore(entry.tally, at: now) }
        }
        for entry in try db.rateStates.load("user:\(user)") {
            customer.edit(nil) { $0.restore(entry.name, entry.rate, at: now) }
        }
        for reservation in try db.reservations.live(of: user, at: now) {
            customer.restore(reservation, at: now)
        }
        for lease in try db.leases.live(of: user, at: now) { customer.restore(lease, at: now) }
        customer.restore(stock: Item.resource, try db.items.count(of: user))
        return customer
    }

    func standing(
        of user: UserID, _ db: any Connection
    ) throws(Problem) -> Standing? {
        guard let subscription = try db.subscriptions.active(of: user),
            let plan = try db.plans.find(subscription.planID)
        else { return nil }
        return Standing(
            planSlug: plan.slug, rules: rulesets.rules(of: plan), expiresAt: subscription.expiresAt)
    }

    /// After a stale answer: the customer's subscription has run out, or another node has changed
    /// something of it.
    func renewStanding(_ user: UserID, at now: Timestamp) async throws(Problem) {
        let known: UInt64?? = customers.with(user) { record in
            record.isStandingKnown ? nil : record.standingChanges
        }
        guard let changes = known ?? nil else { return try await settle(user, at: now) }
        let standing = try await store.read { db throws(Problem) in
            try self.standing(of: user, db)
        }
        customers.with(user) { record in
            // What has changed meanwhile is read again.
            guard record.standingChanges == changes else { return }
            record.setStanding(standing)
            record.isStandingKnown = true
        }
    }

    /// Turns a subscription that has run out to `expired` and falls back to the default plan.
    func settle(_ user: UserID, at now: Timestamp) async throws(Problem) {
        let standing = try await store.write { db throws(Problem) in
            try db.expireSubscription(of: user, at: now)
            return try self.standing(of: user, db)
        }
        setStanding(user, standing)
        didSettle(user)
    }

    // MARK: Changes, after their commit and before their answer

    func setStanding(_ user: UserID, _ standing: Standing?) {
        customers.with(user) { $0.setStanding(standing) }
        customers.markLoadStale(user)
    }

    /// A plan's limits have changed: for everybody who is on it, from the next request on.
    func setRules(of plan: Plan) {
        let (slug, rules) = (plan.slug, rulesets.rules(of: plan))
        customers.updateAll { record in
            guard let standing = record.customer.standing, standing.planSlug == slug else { return }
            record.setStanding(
                Standing(planSlug: slug, rules: rules, expiresAt: standing.expiresAt))
        }
    }

    // MARK: Changes of other nodes

    /// Something of a customer's subscription: the next decision reads it.
    func standingChanged(of user: UserID) {
        customers.with(user) { $0.forgetStanding() }
        customers.markLoadStale(user)
    }

    /// A plan.
    func standingsChanged(on slug: String) {
        customers.updateAll { record in
            if record.customer.standing?.planSlug == slug { record.forgetStanding() }
        }
    }

    /// Any of them.
    func standingsChanged() { customers.updateAll { $0.forgetStanding() } }

    func forget(_ user: UserID) {
        if let record = customers.remove(user) { journal.forget(record.places) }
    }

    // MARK: Folding

    /// What a batch has of some customers, and the rates that a restart should not forget.
    func unsaved(_ part: Journal.Part) -> (deltas: [UsageDelta], rates: [RateStates.Entry]) {
        var deltas: [UsageDelta] = []
        var rates: [RateStates.Entry] = []
        for user in part.users {
            customers.with(user) { record in
                deltas += journal.deltas(record.places, batch: part.batch)
                rates += record.customer.slowRates().map { name, rate in
                    RateStates.Entry(subject: "user:\(user)", name: name, rate: rate)
                }
            }
        }
        return (deltas, rates)
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
        users.flatMap { user in customers.with(user) { $0.news(of: user, at: now) } ?? [] }
    }

    /// The store has it, for good.
    func didTell(_ news: [QuotaNews]) {
        for item in news {
            customers.with(item.user) { $0.told.note(item.use, item.threshold) }
        }
    }

    /// The store has what `unsaved` said of that part.
    func didFold(_ part: Journal.Part) {
        journal.didFold(part)
        for user in part.users {
            customers.with(user) {
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
