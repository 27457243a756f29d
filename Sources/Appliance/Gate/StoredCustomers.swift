import Domain
import Store

/// Customers as the store has them: what memory begins with, a node's own or that of several.
struct StoredCustomers: Sendable {
    let store: any Database
    private let rulesets = Rulesets()

    init(store: any Database) { self.store = store }

    /// Nil: there is no such account.
    func find(_ user: UserID, at now: Timestamp) async throws(Problem) -> Customer? {
        try await store.read { db throws(Problem) in try self.find(user, db, at: now) }
    }

    private func find(
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

    func standing(of user: UserID, _ db: any Connection) throws(Problem) -> Standing? {
        guard let subscription = try db.subscriptions.active(of: user),
            let plan = try db.plans.find(subscription.planID)
        else { return nil }
        return Standing(
            planSlug: plan.slug, rules: rules(of: plan), expiresAt: subscription.expiresAt)
    }

    /// As the plan's limits are now.
    func rules(of plan: Plan) -> Ruleset { rulesets.rules(of: plan) }

    /// Turns a subscription that has run out to `expired` and falls back to the default plan.
    func settle(_ user: UserID, at now: Timestamp) async throws(Problem) -> Standing? {
        try await store.write { db throws(Problem) in
            try db.expireSubscription(of: user, at: now)
            return try self.standing(of: user, db)
        }
    }
}
