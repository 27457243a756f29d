import Domain
import Store

/// What a file of plans changes of one plan.
struct PlanChange: Sendable {
    enum Action: String, Sendable {
        case created, updated, archived
        /// It was archived, and is offered again.
        case restored
    }

    struct Field: Sendable {
        let name: String
        let before: JSON
        let after: JSON
    }

    let slug: String
    let action: Action
    let fields: [Field]
    fileprivate let before: Plan?
    fileprivate let plan: Plan

    /// Nil when there is nothing to change. `wanted` has the time of now for its own.
    fileprivate init?(from before: Plan?, to wanted: Plan) {
        slug = wanted.slug
        self.before = before
        guard let before else {
            action = .created
            plan = wanted
            fields = []
            return
        }
        plan = Plan(
            id: before.id, slug: before.slug, name: wanted.name,
            description: wanted.description, limits: wanted.limits,
            isSelfService: wanted.isSelfService, isDefault: wanted.isDefault,
            archivedAt: wanted.archivedAt.map { before.archivedAt ?? $0 },
            createdAt: before.createdAt, updatedAt: wanted.updatedAt)
        fields = Self.fields(from: before, to: plan)
        guard !fields.isEmpty || (before.archivedAt == nil) != (plan.archivedAt == nil) else {
            return nil
        }
        action =
            switch (before.archivedAt, plan.archivedAt) {
            case (nil, .some): .archived
            case (.some, nil): .restored
            case (nil, nil), (.some, .some): .updated
            }
    }

    private static func fields(from before: Plan, to after: Plan) -> [Field] {
        var fields = [
            Field(name: "name", before: .string(before.name), after: .string(after.name)),
            Field(
                name: "description", before: .text(before.description),
                after: .text(after.description)),
            Field(
                name: "self_service", before: .bool(before.isSelfService),
                after: .bool(after.isSelfService)),
            Field(
                name: "is_default", before: .bool(before.isDefault), after: .bool(after.isDefault)),
        ]
        let (old, new) = (before.limits.json, after.limits.json)
        let names = Set((before.limits.all + after.limits.all).map(\.name)).sorted()
        fields += names.map { name in
            Field(
                name: "limits.\(name)", before: shown(old[name]), after: shown(new[name]))
        }
        return fields.filter { $0.before != $0.after }
    }

    /// A limit that is not there is null; one that is there and unlimited must look different.
    private static func shown(_ bound: JSON?) -> JSON {
        bound == .null ? .string("unlimited") : bound ?? .null
    }

    fileprivate func event(by actor: AuditEvent.Actor, from origin: Origin) -> AuditEvent {
        let old = before.map { JSON.Member("limits_before", $0.limits.json) }
        let meta = [old, JSON.Member("limits", plan.limits.json)].compactMap { $0 }
        return origin.event(
            "plan.\(action.rawValue)", by: actor, on: "plan:\(slug)", meta: meta)
    }
}

extension Appliance {
    /// Makes the store have these plans and no others, in one transaction: new ones are created,
    /// others changed, those that are not named archived. The same plans again change nothing.
    func applyPlans(
        _ wanted: [Plan], isDryRun: Bool, by actor: AuditEvent.Actor, from origin: Origin,
        at now: Timestamp
    ) async throws(Problem) -> [PlanChange] {
        if isDryRun {
            return try await store.read { db throws(Problem) in
                try Self.changes(to: wanted, db, at: now)
            }
        }
        let changes = try await store.write { db throws(Problem) in
            let changes = try Self.changes(to: wanted, db, at: now)
            for change in changes {
                try Self.write(change, db)
                try db.audit.append(change.event(by: actor, from: origin), at: now)
            }
            return changes
        }
        for change in changes where change.before != nil { gatekeeper.setRules(of: change.plan) }
        return changes
    }

    private static func write(_ change: PlanChange, _ db: any Connection) throws(Problem) {
        guard change.before == nil else { return try db.plans.update(change.plan) }
        guard try db.plans.insert(change.plan) else {
            throw .internal(cause: "the plan \(change.slug) is there and was not found")
        }
    }

    private static func changes(
        to wanted: [Plan], _ db: any Connection, at now: Timestamp
    ) throws(Problem) -> [PlanChange] {
        var there: [Plan] = []
        var page = Page(limit: Page.limitMax)
        while true {
            let plans = try db.plans.list(includingArchived: true, page)
            there += plans
            guard plans.count == page.limit, let last = plans.last else { break }
            page = Page(limit: page.limit, before: last.id.description)
        }
        let bySlug = Dictionary(uniqueKeysWithValues: there.map { ($0.slug, $0) })
        let named = Set(wanted.map(\.slug))
        let unnamed = there.filter { !named.contains($0.slug) && $0.archivedAt == nil }
        let changes = wanted.compactMap { PlanChange(from: bySlug[$0.slug], to: $0) }
        return changes
            + unnamed.compactMap { plan in
                var archived = plan
                archived.archivedAt = now
                archived.isDefault = false
                archived.updatedAt = now
                return PlanChange(from: plan, to: archived)
            }
    }
}
