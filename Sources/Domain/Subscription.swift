package typealias SubscriptionID = ID<Subscription>

/// A customer's hold on a plan. A customer has one active subscription at most.
package struct Subscription: Equatable, Sendable {
    package enum Status: String, CaseIterable, Sendable { case active, canceled, expired }

    package let id: SubscriptionID
    package let userID: UserID
    package var planID: PlanID
    package var planSlug: String
    package var status: Status
    package let startedAt: Timestamp
    package var expiresAt: Timestamp?
    package var canceledAt: Timestamp?

    package init(
        id: SubscriptionID, userID: UserID, planID: PlanID, planSlug: String, status: Status,
        startedAt: Timestamp, expiresAt: Timestamp?, canceledAt: Timestamp?
    ) {
        self.id = id
        self.userID = userID
        self.planID = planID
        self.planSlug = planSlug
        self.status = status
        self.startedAt = startedAt
        self.expiresAt = expiresAt
        self.canceledAt = canceledAt
    }
}
