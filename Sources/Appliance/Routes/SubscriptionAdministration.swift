import Domain
import HTTPTypes
import Store

extension Appliance {
    var adminSubscriptionRoutes: [Route] {
        [
            Route(.get, "/api/v1/admin/subscriptions", .adminRead, .listSubscriptions) {
                call throws(Problem) in
                var filter = Subscriptions.Filter()
                filter.user = try call.queryUser()
                filter.plan = try call.querySlug("plan")
                filter.status = try call.queryChoice("status", Subscription.Status.self)
                let wanted = filter
                let listing = Listing<Subscription>(
                    name: "subscriptions", filters: ["user_id", "plan", "status"],
                    columns: [
                        "id", "user_id", "plan", "status", "started_at", "expires_at",
                        "canceled_at",
                    ],
                    write: { $0.subscription($1) }, position: { "\($0.id)" },
                    read: { db, page throws(Problem) in try db.subscriptions.list(wanted, page) })
                return try await self.answer(listing, to: call)
            },
            Route(
                .post, "/api/v1/admin/subscriptions", .adminWrite, .giveSubscription, creates: true
            ) {
                call throws(Problem) in
                try await self.adminSubscribe(call)
            },
            Route(.patch, "/api/v1/admin/subscriptions/{id}", .adminWrite, .updateSubscription) {
                call throws(Problem) in try await self.adminChangeSubscription(call)
            },
        ]
    }

    private func adminSubscribe(_ call: Call) async throws(Problem) -> Answer {
        let now = call.now
        var form = try await call.form()
        let user = form.required("user_id") { form, value -> UserID? in
            guard case .string(let text) = value, let id = UserID(text) else {
                form.refuse("user_id", "invalid", "Expected a user's id.")
                return nil
            }
            return id
        }
        let plan = form.words("plan", max: Plan.slugMax)
        let expiresAt = form.optional("expires_at") { $0.expiry("expires_at", $1, after: now) }
        let (id, slug) = try form.finish(user, plan)
        let subscription = try await giveSubscription(
            to: id, plan: slug, expiresAt: expiresAt, by: try call.signedIn().actor,
            from: call.origin, at: now
        ) { subscription, db throws(Problem) in
            try call.keep(Answer.json(.created) { $0.subscription(subscription) }, db)
        }
        return .json(.created) { $0.subscription(subscription) }
    }

    /// A subscription in place of the active one, from the next request on.
    func giveSubscription(
        to user: UserID, plan slug: String, expiresAt: Timestamp?, by actor: AuditEvent.Actor,
        from origin: Origin, at now: Timestamp,
        keep: @escaping @Sendable (Subscription, any Connection) throws(Problem) -> Void
    ) async throws(Problem) -> Subscription {
        let (subscription, standing) = try await store.write { db throws(Problem) in
            guard try db.accounts.find(user) != nil else {
                throw Problem.invalid("user_id", "unknown_user", "There is no such user.")
            }
            let plan = try Self.livePlan(slug, db)
            let former = try db.subscriptions.active(of: user)
            let subscription = try db.subscribe(user, to: plan, expiresAt: expiresAt, at: now)
            try db.audit.append(
                origin.event(
                    "subscription.given", by: actor, on: "user:\(user)",
                    meta: Self.changes(from: former, to: subscription)),
                at: now)
            try keep(subscription, db)
            return (subscription, try self.gatekeeper.standing(of: user, db))
        }
        standingChanged(user, standing)
        return subscription
    }

    private static func livePlan(_ slug: String, _ db: any Connection) throws(Problem) -> Plan {
        guard let plan = try db.plans.find(slug: slug), plan.archivedAt == nil else {
            throw .invalid("plan", "unknown_plan", "There is no such plan.")
        }
        return plan
    }

    private static func changes(
        from before: Subscription?, to after: Subscription
    ) -> [JSON.Member] {
        var changes = AuditEvent.Changes()
        changes.note("plan", .text(before?.planSlug), .string(after.planSlug))
        changes.note("status", .text(before?.status.rawValue), .string(after.status.rawValue))
        changes.note(
            "expires_at", .text(before?.expiresAt?.description),
            .text(after.expiresAt?.description))
        return changes.members
    }

    private func adminChangeSubscription(_ call: Call) async throws(Problem) -> Answer {
        let id: SubscriptionID = try call.id("subscription")
        let now = call.now
        var form = try await call.form()
        let slug = form.words("plan", max: Plan.slugMax, required: false)
        let expiresAt = form.change("expires_at") { $0.expiry("expires_at", $1, after: now) }
        let status = form.optional("status") { form, value -> Subscription.Status? in
            guard value == .string("canceled") else {
                form.refuse("status", "invalid", "Expected: canceled.")
                return nil
            }
            return .canceled
        }
        try form.finish()
        let caller = try call.signedIn()
        if status == .canceled { try demandRecentSignIn(caller, at: now) }
        let actor = caller.actor
        let origin = call.origin
        let (subscription, standing) = try await store.write { db throws(Problem) in
            guard let before = try db.subscriptions.find(id) else {
                throw Problem.notFound("subscription")
            }
            guard before.status == .active else {
                throw Problem(.conflict, "This subscription has ended.")
            }
            var subscription = before
            if let slug {
                let plan = try Self.livePlan(slug, db)
                subscription.planID = plan.id
                subscription.planSlug = plan.slug
            }
            if let expiresAt { subscription.expiresAt = expiresAt }
            if let status {
                subscription.status = status
                subscription.canceledAt = now
            }
            try db.subscriptions.update(subscription)
            try db.audit.append(
                origin.event(
                    "subscription.changed", by: actor, on: "user:\(subscription.userID)",
                    meta: Self.changes(from: before, to: subscription)),
                at: now)
            return (subscription, try self.gatekeeper.standing(of: subscription.userID, db))
        }
        standingChanged(subscription.userID, standing)
        return .json { $0.subscription(subscription) }
    }
}
