import Domain
import Store
import Synchronization

/// Decides whether a customer's request may pass, and counts it: live customers in memory, each
/// decision under one short lock, loaded from the store when first asked for.
final class Gatekeeper: Sendable {
    private struct Record: Sendable {
        var customer: Customer
        /// In `changed`, or on its way to the store. A record like that is never dropped from
        /// memory: loading it again would bring back counts from before.
        var isListed = false
        var lastUsed: Timestamp
    }

    /// Customers in memory who may be dropped when they are idle and saved.
    private static let customersMax = 1_000_000

    private let store: any Database
    private let customers = LiveCache<UserID, Record>(capacity: customersMax) { !$0.isListed }
    private let changed = Mutex<[UserID]>([])

    /// Called after a customer's plan has changed by time alone.
    private let didSettle: @Sendable (UserID) -> Void

    init(store: any Database, didSettle: @escaping @Sendable (UserID) -> Void) {
        self.store = store
        self.didSettle = didSettle
    }

    // MARK: Decisions

    /// Takes the demand from every limit that applies, or throws the refusal and takes nothing.
    /// Returns the limits as they stand now.
    func admit(
        _ user: UserID, _ demand: Demand, key: Customer.KeyRules? = nil, at now: Timestamp
    ) async throws(Problem) -> [LimitState] {
        while true {
            switch decide(user, demand, key: key, at: now) {
            case .granted(let states): return states
            case .refused(let refusal, let states):
                throw Self.problem(refusal, states, at: now)
            case .unsubscribed:
                throw Problem(.subscriptionRequired, "There is no active plan.")
            case .tooManyMetrics:
                throw .invalid(
                    "metric", "too_many", "At most \(Demand.metricsMax) metrics a customer.")
            case .stale: try await settle(user, at: now)
            case nil: try await load(user, at: now)
            }
        }
    }

    /// Without an await: nil when the customer is not in memory.
    func decide(
        _ user: UserID, _ demand: Demand, key: Customer.KeyRules?, at now: Timestamp
    ) -> Decision? {
        customers.with(user) { record in
            let decision = record.customer.admit(demand, key: key, at: now)
            record.lastUsed = now
            if case .granted = decision { list(user, &record) }
            return decision
        }
    }

    /// Undoes a grant whose work then failed.
    func giveBack(
        _ user: UserID, _ demand: Demand, key: Customer.KeyRules?, takenAt: Timestamp
    ) {
        customers.with(user) { record in
            record.customer.giveBack(demand, key: key, takenAt: takenAt)
            list(user, &record)
        }
    }

    /// One of the customer's things is gone.
    func remove(_ resource: String, of user: UserID) {
        customers.with(user) { $0.customer.remove(resource) }
        customers.markLoadStale(user)
    }

    func report(_ user: UserID, at now: Timestamp) async throws(Problem) -> UsageReport {
        while true {
            let report: UsageReport?? = customers.with(user) { record in
                let end = record.customer.standing?.expiresAt
                return end.map { now >= $0 } ?? false ? nil : record.customer.report(at: now)
            }
            switch report {
            case .some(.some(let report)): return report
            case .some(nil): try await settle(user, at: now)
            case nil: try await load(user, at: now)
            }
        }
    }

    private func list(_ user: UserID, _ record: inout Record) {
        guard !record.isListed else { return }
        record.isListed = true
        changed.withLock { $0.append(user) }
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

    // MARK: Loading

    private func load(_ user: UserID, at now: Timestamp) async throws(Problem) {
        let isThere = try await customers.load(user) { () throws(Problem) in
            try await self.store.read { db throws(Problem) in
                try Self.record(of: user, db, at: now)
            }
        }
        if !isThere { throw Authenticator.refused }
    }

    private static func record(
        of user: UserID, _ db: any Connection, at now: Timestamp
    ) throws(Problem) -> Record? {
        guard try db.accounts.find(user) != nil else { return nil }
        var customer = Customer(standing: try standing(of: user, db))
        for entry in try db.usage.current(of: user, at: now) {
            customer.edit(entry.key) { $0.restore(entry.tally, at: now) }
        }
        for entry in try db.rateStates.load("user:\(user)") {
            customer.edit(nil) { $0.restore(entry.name, entry.rate) }
        }
        customer.restore(stock: Item.resource, try db.items.count(of: user))
        return Record(customer: customer, lastUsed: now)
    }

    static func standing(
        of user: UserID, _ db: any Connection
    ) throws(Problem) -> Standing? {
        guard let subscription = try db.subscriptions.active(of: user),
            let plan = try db.plans.find(subscription.planID)
        else { return nil }
        return Standing(
            planSlug: plan.slug, rules: Ruleset(plan.limits), expiresAt: subscription.expiresAt)
    }

    /// Turns a subscription that has run out to `expired` and falls back to the default plan.
    func settle(_ user: UserID, at now: Timestamp) async throws(Problem) {
        let standing = try await store.write { db throws(Problem) in
            try db.expireSubscription(of: user, at: now)
            return try Self.standing(of: user, db)
        }
        setStanding(user, standing)
        didSettle(user)
    }

    // MARK: Changes, after their commit and before their answer

    func setStanding(_ user: UserID, _ standing: Standing?) {
        customers.with(user) { $0.customer.standing = standing }
        customers.markLoadStale(user)
    }

    /// A plan's limits have changed: for everybody who is on it, from the next request on.
    func setRules(ofPlan slug: String, _ rules: Ruleset) {
        customers.updateAll { record in
            guard let standing = record.customer.standing, standing.planSlug == slug else { return }
            record.customer.standing = Standing(
                planSlug: slug, rules: rules, expiresAt: standing.expiresAt)
        }
    }

    func forget(_ user: UserID) { customers.invalidate(user) }

    // MARK: Checkpoints

    /// Counts that the store does not have yet.
    struct Unsaved: Sendable {
        fileprivate(set) var users: [UserID] = []
        fileprivate(set) var counters: [UsageCounters.Entry] = []
        fileprivate(set) var rates: [RateStates.Entry] = []
    }

    func takeUnsaved(at now: Timestamp) -> Unsaved {
        var unsaved = Unsaved()
        unsaved.users = changed.withLock { users in
            let taken = users
            users = []
            return taken
        }
        for user in unsaved.users {
            let taken = customers.with(user) { record in
                (counts: record.customer.takeUnsaved(), rates: record.customer.slowRates())
            }
            guard let taken else { continue }
            unsaved.counters += taken.counts.map { key, tally in
                UsageCounters.Entry(user: user, key: key, tally: tally)
            }
            unsaved.rates += taken.rates.map { name, rate in
                RateStates.Entry(subject: "user:\(user)", name: name, rate: rate)
            }
        }
        return unsaved
    }

    /// The store has them: a customer with nothing new may be dropped from memory again.
    func markSaved(_ unsaved: Unsaved) {
        for user in unsaved.users {
            customers.with(user) { record in
                record.isListed = false
                if record.customer.isDirty { list(user, &record) }
            }
        }
    }

    func putBack(_ unsaved: Unsaved, at now: Timestamp) {
        for entry in unsaved.counters {
            customers.with(entry.user) { record in
                record.customer.edit(entry.key) { $0.putBack(entry.tally, at: now) }
            }
        }
        changed.withLock { $0 += unsaved.users }
    }
}
