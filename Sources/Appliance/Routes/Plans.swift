import Domain
import HTTPTypes
import Store

extension Appliance {
    var planRoutes: [Route] {
        [
            Route(.get, "/api/v1/plans", .open, .listPlans) { call throws(Problem) in
                let page = try call.page()
                let plans = try await self.store.read { db throws(Problem) in
                    try db.plans.list(includingArchived: false, page)
                }
                return Self.planList(plans, page)
            },
            Route(.get, "/api/v1/subscription", .user, .showSubscription) { call throws(Problem) in
                let user = try call.signedIn().userID
                let subscription = try await self.store.read { db throws(Problem) in
                    try db.subscriptions.current(of: user)
                }
                guard let subscription else { throw .notFound("subscription") }
                return .json { $0.subscription(subscription) }
            },
            Route(.post, "/api/v1/subscribe", .user, .subscribe, creates: true) {
                call throws(Problem) in
                try await self.subscribe(call)
            },
            Route(.delete, "/api/v1/subscription", .user, .cancelSubscription) {
                call throws(Problem) in
                try await self.cancelSubscription(call)
            },
        ]
    }

    static func planList(_ plans: [Plan], _ page: Page) -> Answer {
        let next = Call.cursor(after: plans.last?.id, isFull: plans.count == page.limit)
        return .list(plans, nextCursor: next) { $0.plan($1) }
    }

    private func subscribe(_ call: Call) async throws(Problem) -> Answer {
        var form = try await call.form()
        let slug = form.words("plan", max: Plan.slugMax)
        let wanted = try form.finish(slug)
        let caller = try call.signedIn()
        let origin = call.origin
        let now = call.now
        let (answer, standing) = try await store.write { db throws(Problem) in
            guard let plan = try db.plans.find(slug: wanted), plan.archivedAt == nil,
                plan.isSelfService
            else {
                throw Problem.invalid("plan", "unknown_plan", "There is no such plan to choose.")
            }
            let active = try db.subscriptions.active(of: caller.userID)
            // Asking for the plan one has changes nothing, so a repeated request is harmless.
            let subscription: Subscription
            if let active, active.planID == plan.id {
                subscription = active
            } else {
                subscription = try db.subscribe(caller.userID, to: plan, expiresAt: nil, at: now)
                try db.audit.append(
                    origin.event(
                        "subscription.chosen", by: caller.actor, on: "user:\(caller.userID)",
                        meta: [JSON.Member("plan", .string(plan.slug))]),
                    at: now)
            }
            let answer = Answer.json { $0.subscription(subscription) }
            try call.keep(answer, db)
            return (answer, try self.gatekeeper.standing(of: caller.userID, db))
        }
        standingChanged(caller.userID, standing)
        return answer
    }

    private func cancelSubscription(_ call: Call) async throws(Problem) -> Answer {
        let caller = try call.signedIn()
        let origin = call.origin
        let now = call.now
        let canceled = try await store.write { db throws(Problem) in
            guard var active = try db.subscriptions.active(of: caller.userID) else {
                throw Problem.notFound("active subscription")
            }
            active.status = .canceled
            active.canceledAt = now
            try db.subscriptions.update(active)
            try db.audit.append(
                origin.event(
                    "subscription.canceled", by: caller.actor, on: "user:\(caller.userID)"),
                at: now)
            return active
        }
        standingChanged(caller.userID, nil)
        return .json { $0.subscription(canceled) }
    }

    /// After the commit, before the answer: the next request is held against the new plan.
    func standingChanged(_ user: UserID, _ standing: Standing?) {
        gatekeeper.setStanding(user, standing)
        authenticator.forget(account: user)
    }
}

extension Shapes {
    static let plan = Shape<Plan>(
        "Plan",
        [
            .member("id") { $0.id },
            .member("slug", .slug) { $0.slug },
            .member("name", .words(max: Plan.nameMax, example: "Free")) { $0.name },
            .member("description", .words(max: Plan.descriptionMax, example: "To try it.")) {
                $0.description
            },
            .member("price", .integer().noted("Null: there is no payment.").showing(.null)) { _ in
                Int64?.none
            },
            .member("limits") { $0.limits },
            .member("self_service") { $0.isSelfService },
            .member("is_default") { $0.isDefault },
            .member("archived_at") { $0.archivedAt },
        ])

    static let subscription = Shape<Subscription>(
        "Subscription",
        [
            .member("id") { $0.id },
            .member("user_id") { $0.userID },
            .member("plan", .slug) { $0.planSlug },
            .member("status") { $0.status },
            .member("started_at") { $0.startedAt },
            .member("expires_at") { $0.expiresAt },
            .member("canceled_at") { $0.canceledAt },
        ])
}

extension JSONWriter {
    /// `Plan`.
    mutating func plan(_ plan: Plan) { write(plan, as: Shapes.plan) }

    /// `Subscription`.
    mutating func subscription(_ subscription: Subscription) {
        write(subscription, as: Shapes.subscription)
    }
}
