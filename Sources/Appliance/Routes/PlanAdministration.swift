import Domain
import HTTPTypes
import Store

extension Appliance {
    var adminPlanRoutes: [Route] {
        [
            Route(.get, "/api/v1/admin/plans", .adminRead, .listAllPlans) { call throws(Problem) in
                let listing = Listing<Plan>(
                    name: "plans", filters: [],
                    columns: [
                        "id", "slug", "name", "description", "limits", "self_service",
                        "is_default", "archived_at",
                    ],
                    write: { $0.plan($1) }, position: { "\($0.id)" },
                    read: { db, page throws(Problem) in
                        try db.plans.list(includingArchived: true, page)
                    })
                return try await self.answer(listing, to: call)
            },
            Route(.post, "/api/v1/admin/plans", .adminWrite, .createPlan, creates: true) {
                call throws(Problem) in
                try await self.adminCreatePlan(call)
            },
            Route(.patch, "/api/v1/admin/plans/{slug}", .adminWrite, .updatePlan) {
                call throws(Problem) in
                var form = try await call.form()
                let name = form.words("name", max: Plan.nameMax, required: false)
                let description = form.change("description") {
                    $0.words("description", $1, max: Plan.descriptionMax)
                }
                let limits = form.optional("limits") { $0.limits("limits", $1) }
                let isSelfService = form.bool("self_service")
                let isDefault = form.bool("is_default")
                try form.finish()
                return try await self.adminChangePlan(call, "plan.updated") { plan in
                    if let name { plan.name = name }
                    if let description { plan.description = description }
                    if let limits { plan.limits = limits }
                    if let isSelfService { plan.isSelfService = isSelfService }
                    if let isDefault { plan.isDefault = isDefault }
                }
            },
            Route(.delete, "/api/v1/admin/plans/{slug}", .adminWrite, .archivePlan) {
                call throws(Problem) in
                let now = call.now
                try self.demandRecentSignIn(try call.signedIn(), at: now)
                return try await self.adminChangePlan(call, "plan.archived") { plan in
                    plan.archivedAt = plan.archivedAt ?? now
                    plan.isDefault = false
                }
            },
        ]
    }

    private func adminCreatePlan(_ call: Call) async throws(Problem) -> Answer {
        var form = try await call.form()
        let slug = form.planSlug()
        let name = form.words("name", max: Plan.nameMax)
        let description = form.words("description", max: Plan.descriptionMax, required: false)
        let limits = form.required("limits") { $0.limits("limits", $1) }
        let isSelfService = form.bool("self_service") ?? false
        let isDefault = form.bool("is_default") ?? false
        let (wanted, title, rules) = try form.finish(slug, name, limits)
        var random = SystemRandomNumberGenerator()
        let plan = Plan(
            id: ID(at: call.now, using: &random), slug: wanted, name: title,
            description: description, limits: rules, isSelfService: isSelfService,
            isDefault: isDefault, createdAt: call.now, updatedAt: call.now)
        let actor = try call.signedIn().actor
        let origin = call.origin
        let answer = Answer.json(.created) { $0.plan(plan) }
        try await store.write { db throws(Problem) in
            guard try db.plans.insert(plan) else {
                throw Problem(.conflict, "There is a plan with this slug.")
            }
            try db.audit.append(
                origin.event(
                    "plan.created", by: actor, on: "plan:\(plan.slug)",
                    meta: Self.changes(from: nil, to: plan)),
                at: plan.createdAt)
            try call.keep(answer, db)
        }
        return answer
    }

    private static func changes(from before: Plan?, to after: Plan) -> [JSON.Member] {
        var changes = AuditEvent.Changes()
        changes.note("name", .text(before?.name), .string(after.name))
        changes.note("description", .text(before?.description), .text(after.description))
        changes.note("limits", before?.limits.json ?? .null, after.limits.json)
        changes.note(
            "self_service", before.map { .bool($0.isSelfService) } ?? .null,
            .bool(after.isSelfService))
        changes.note(
            "is_default", before.map { .bool($0.isDefault) } ?? .null, .bool(after.isDefault))
        changes.note(
            "archived_at", .text(before?.archivedAt?.description),
            .text(after.archivedAt?.description))
        return changes.members
    }

    private func adminChangePlan(
        _ call: Call, _ action: String, _ change: @escaping @Sendable (inout Plan) -> Void
    ) async throws(Problem) -> Answer {
        let slug = call.parameter("slug")
        let actor = try call.signedIn().actor
        let origin = call.origin
        let now = call.now
        let plan = try await store.write { db throws(Problem) in
            guard let before = try db.plans.find(slug: slug) else {
                throw Problem.notFound("plan")
            }
            var plan = before
            change(&plan)
            guard !plan.isDefault || plan.archivedAt == nil else {
                throw Problem(.conflict, "An archived plan cannot be the default.")
            }
            plan.updatedAt = now
            try db.plans.update(plan)
            try db.audit.append(
                origin.event(
                    action, by: actor, on: "plan:\(slug)",
                    meta: Self.changes(from: before, to: plan)),
                at: now)
            return plan
        }
        gatekeeper.setRules(of: plan)
        return .json { $0.plan(plan) }
    }
}
