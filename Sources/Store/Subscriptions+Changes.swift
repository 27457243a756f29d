import Domain

extension Connection {
    /// Ends a subscription that has run out and begins one to the default plan, if there is one.
    /// Does nothing when it was settled before. For a write transaction.
    package func expireSubscription(of user: UserID, at now: Timestamp) throws(Problem) {
        guard var ended = try subscriptions.active(of: user), let end = ended.expiresAt, now >= end
        else { return }
        ended.status = .expired
        try subscriptions.update(ended)
        try audit.append(
            AuditEvent(
                action: "subscription.expired", actor: .system, target: "user:\(user)",
                meta: .object([JSON.Member("plan", .string(ended.planSlug))])),
            at: now)
        guard let plan = try plans.findDefault() else { return }
        _ = try subscribe(user, to: plan, expiresAt: nil, at: now)
    }

    /// Ends the active subscription, if there is one, and begins one to `plan`.
    package func subscribe(
        _ user: UserID, to plan: Plan, expiresAt: Timestamp?, at now: Timestamp
    ) throws(Problem) -> Subscription {
        if var former = try subscriptions.active(of: user) {
            former.status = .canceled
            former.canceledAt = now
            try subscriptions.update(former)
        }
        var random = SystemRandomNumberGenerator()
        let subscription = Subscription(
            id: ID(at: now, using: &random), userID: user, planID: plan.id, planSlug: plan.slug,
            status: .active, startedAt: now, expiresAt: expiresAt, canceledAt: nil)
        try subscriptions.insert(subscription)
        return subscription
    }
}
