import Domain
import Synchronization

/// The rules of each plan, made once and shared by all who are on it. One for each plan there is,
/// and plans are few: admins make them.
final class Rulesets: Sendable {
    private let known = Mutex<[PlanID: Ruleset]>([:])

    /// As the plan's limits are now.
    func rules(of plan: Plan) -> Ruleset {
        known.withLock { known in
            if let rules = known[plan.id], rules.limits == plan.limits { return rules }
            let rules = Ruleset(plan.limits)
            known[plan.id] = rules
            return rules
        }
    }
}
