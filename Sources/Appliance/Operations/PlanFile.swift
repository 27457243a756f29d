import Domain

/// The plans that a store is to have, as an operator's file names them.
enum PlanFile {
    static let plansMax = 200

    /// - Parameter json: a list of plans as `GET /plans` shows them. `id` says nothing, `price` is
    ///   null; what is left out has the value of a new plan.
    /// - Throws: one field error for each mistake, by paths such as `[0].limits.max_items`.
    static func plans(_ json: JSON, at now: Timestamp) throws(Problem) -> [Plan] {
        guard case .array(let elements) = json else {
            throw .invalid("", "type", "Expected a list of plans, found \(json.kind).")
        }
        guard elements.count <= plansMax else {
            throw .invalid("", "too_many", "At most \(plansMax) plans.")
        }
        var plans: [Plan] = []
        var errors: [Problem.Field] = []
        for (index, element) in elements.enumerated() {
            let path = "[\(index)]"
            do throws(Problem) {
                let plan = try plan(element, path: path, at: now)
                if plans.contains(where: { $0.slug == plan.slug }) {
                    throw .invalid("\(path).slug", "duplicate", "This slug stands there already.")
                }
                if plan.isDefault, let other = plans.first(where: \.isDefault) {
                    throw .invalid(
                        "\(path).is_default", "duplicate", "\(other.slug) is the default already.")
                }
                plans.append(plan)
            } catch {
                errors += error.errors
            }
        }
        guard errors.isEmpty else { throw .invalid(errors) }
        return plans
    }

    private static func plan(
        _ json: JSON, path: String, at now: Timestamp
    ) throws(Problem) -> Plan {
        guard case .object = json else {
            throw .invalid(path, "type", "Expected a plan, found \(json.kind).")
        }
        var form = try Form(json, path: path + ".")
        _ = form.value("id")
        if let price = form.value("price"), price != .null {
            form.refuse("price", "invalid", "Expected null: there is no payment.")
        }
        let slug = form.planSlug()
        let name = form.words("name", max: Plan.nameMax)
        let description = form.words("description", max: Plan.descriptionMax, required: false)
        let limits = form.required("limits") { $0.limits("limits", $1) }
        let isSelfService = form.bool("self_service") ?? false
        let isDefault = form.bool("is_default") ?? false
        let archivedAt = form.optional("archived_at") { $0.timestamp("archived_at", $1) }
        if isDefault, archivedAt != nil {
            form.refuse("is_default", "invalid", "An archived plan cannot be the default.")
        }
        let (wanted, title, rules) = try form.finish(slug, name, limits)
        var random = SystemRandomNumberGenerator()
        return Plan(
            id: ID(at: now, using: &random), slug: wanted, name: title, description: description,
            limits: rules, isSelfService: isSelfService, isDefault: isDefault,
            archivedAt: archivedAt, createdAt: now, updatedAt: now)
    }
}

extension Form {
    mutating func planSlug() -> String? {
        required("slug") { form, value in
            guard case .string(let text) = value, Plan.isSlug(text) else {
                form.refuse(
                    "slug", "invalid",
                    "Lower-case letters, digits and inner hyphens; \(Plan.slugMax) at most.")
                return String?.none
            }
            return text
        }
    }
}
