import Domain
import HTTPTypes
import Store

extension ShellOrder {
    static let plans = [listPlans, applyPlans]

    static let listPlans = ShellOrder("plans/list") { appliance, json, _, _ throws(Problem) in
        var form = try Form(json)
        let withArchived = form.bool("archived") ?? false
        let page = form.page()
        try form.finish()
        let plans = try await appliance.store.read { db throws(Problem) in
            try db.plans.list(includingArchived: withArchived, page)
        }
        return .page(plans, page, last: plans.last?.id) { $0.plan($1) }
    }

    /// A file of half a MiB, written as JSON.
    private static let plansBytesMax = 1 << 20

    static let applyPlans = ShellOrder("plans/apply", bodyMax: plansBytesMax) {
        appliance, json, origin, now throws(Problem) in
        var form = try Form(json)
        let isDryRun = form.bool("dry_run") ?? false
        let list = form.required("plans") { form, value -> JSON? in value }
        let plans = try PlanFile.plans(try form.finish(list), at: now)
        let changes = try await appliance.applyPlans(
            plans, isDryRun: isDryRun, by: .shell, from: origin, at: now)
        return .json { json in
            json.object { json in
                json.member("dry_run", isDryRun)
                json.member("changes") { $0.array(changes) { $0.planChange($1) } }
            }
        }
    }
}

extension JSONWriter {
    fileprivate mutating func planChange(_ change: PlanChange) {
        object { json in
            json.member("slug", change.slug)
            json.member("action", change.action.rawValue)
            json.member("fields") { json in
                json.array(change.fields) { json, field in
                    json.object { json in
                        json.member("field", field.name)
                        json.member("from") { $0.value(field.before) }
                        json.member("to") { $0.value(field.after) }
                    }
                }
            }
        }
    }
}
