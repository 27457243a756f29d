import Domain

extension Connection {
    package var subscriptions: Subscriptions { Subscriptions(db: self) }
}

/// The `subscriptions` table.
package struct Subscriptions {
    let db: any Connection

    private static let columns: StaticString = """
        s.id, s.user_id, s.plan_id, p.slug, s.status, s.started_at, s.expires_at, s.canceled_at
        """

    private static func decode(_ row: inout Row) throws(Problem) -> Subscription {
        Subscription(
            id: try row.id(), userID: try row.id(), planID: try row.id(), planSlug: try row.text(),
            status: try row.parsed(Subscription.Status.init),
            startedAt: try row.timestamp(), expiresAt: try row.optionalTimestamp(),
            canceledAt: try row.optionalTimestamp())
    }

    package func insert(_ subscription: Subscription) throws(Problem) {
        try db.execute(
            """
            INSERT INTO subscriptions (id, user_id, plan_id, status, started_at, expires_at,
                canceled_at)
            VALUES (\(subscription.id), \(subscription.userID), \(subscription.planID),
                \(subscription.status.rawValue), \(subscription.startedAt),
                \(subscription.expiresAt), \(subscription.canceledAt))
            """)
    }

    package func update(_ subscription: Subscription) throws(Problem) {
        try db.execute(
            """
            UPDATE subscriptions SET plan_id = \(subscription.planID),
                status = \(subscription.status.rawValue), expires_at = \(subscription.expiresAt),
                canceled_at = \(subscription.canceledAt)
            WHERE id = \(subscription.id)
            """)
    }

    package func find(_ id: SubscriptionID) throws(Problem) -> Subscription? {
        try first(where: "s.id = \(id)")
    }

    package func active(of user: UserID) throws(Problem) -> Subscription? {
        try first(where: "s.user_id = \(user) AND s.status = 'active'")
    }

    /// The active one, or else the one that ended last.
    package func current(of user: UserID) throws(Problem) -> Subscription? {
        if let active = try active(of: user) { return active }
        return try first(where: "s.user_id = \(user)", order: " ORDER BY s.id DESC LIMIT 1")
    }

    private func first(where condition: SQL, order: SQL = "") throws(Problem) -> Subscription? {
        try db.first(
            """
            SELECT \(raw: Self.columns) FROM subscriptions s JOIN plans p ON p.id = s.plan_id
            WHERE \(condition)\(order)
            """
        ) { row throws(Problem) in try Self.decode(&row) }
    }

    /// Customers whose active subscription has run out.
    package func due(at now: Timestamp, atMost most: Int) throws(Problem) -> [UserID] {
        try db.rows(
            """
            SELECT user_id FROM subscriptions WHERE status = 'active' AND expires_at <= \(now)
            ORDER BY expires_at LIMIT \(most)
            """
        ) { row throws(Problem) in try row.id() }
    }

    /// How many customers are on each plan that has any, sorted by the plan's slug.
    package func activeByPlan() throws(Problem) -> [(plan: String, count: Int64)] {
        try db.rows(
            """
            SELECT p.slug, c.customers FROM plans p JOIN
                (SELECT plan_id, count(*) AS customers FROM subscriptions
                 WHERE status = 'active' GROUP BY plan_id) c ON c.plan_id = p.id
            ORDER BY p.slug
            """
        ) { row throws(Problem) in (plan: try row.text(), count: try row.integer()) }
    }

    package struct Filter: Sendable {
        package var user: UserID?
        package var plan: String?
        package var status: Subscription.Status?

        package init(
            user: UserID? = nil, plan: String? = nil, status: Subscription.Status? = nil
        ) {
            self.user = user
            self.plan = plan
            self.status = status
        }
    }

    package func list(_ filter: Filter, _ page: Page) throws(Problem) -> [Subscription] {
        var conditions: SQL = "s.id < \(page.bound)"
        if let user = filter.user { conditions += " AND s.user_id = \(user)" }
        if let plan = filter.plan { conditions += " AND p.slug = \(plan)" }
        if let status = filter.status { conditions += " AND s.status = \(status.rawValue)" }
        return try db.rows(
            """
            SELECT \(raw: Self.columns) FROM subscriptions s JOIN plans p ON p.id = s.plan_id
            WHERE \(conditions) ORDER BY s.id DESC LIMIT \(page.limit)
            """
        ) { row throws(Problem) in try Self.decode(&row) }
    }
}
