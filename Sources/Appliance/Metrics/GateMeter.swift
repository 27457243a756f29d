import Domain

/// What the gate has decided, by plan and, where it refused, by the limit that was reached.
final class GateMeter: Sendable {
    private struct Refusal: Hashable, Sendable {
        let code: Problem.Code
        let limit: String
        let plan: String
    }

    /// Plans are the admins', a few; limits are theirs and those of keys, which owners name. Past
    /// the room for them the outcome alone is told.
    private static let plansMax = 200
    private static let refusalsMax = 1000

    private let allowed = LabelledCells<String, Counter>(atMost: plansMax) { Counter() }
    private let refused = LabelledCells<Refusal, Counter>(atMost: refusalsMax) { Counter() }
    private let refusedByCode = LabelledCells<Problem.Code, Counter>(
        atMost: Problem.Code.allCases.count
    ) { Counter() }

    /// Allowed is there from the start, so that a rate can be told from the first request on.
    init() { _ = allowed.cell("") }

    func allow(plan: String?) { allowed.cell(plan ?? "").next() }

    func refuse(_ problem: Problem, plan: String?) {
        var limit = ""
        for member in problem.members where member.name == "limit" {
            if case .string(let name) = member.value { limit = name }
        }
        let refusal = Refusal(code: problem.code, limit: limit, plan: plan ?? "")
        let cell = refused.cell(refusal)
        guard cell === refused.other else {
            cell.next()
            return
        }
        refusedByCode.cell(problem.code).next()
    }

    /// By outcome, limit and plan.
    var all: [(labels: [String], value: Double)] {
        let passed = allowed.all.map { (["allowed", "", $0.labels], $0.cell) }
        let rest = allowed.overflow.map { [(["allowed", "", "other"], $0)] } ?? []
        let refusals = refused.all.map {
            ([$0.labels.code.rawValue, $0.labels.limit, $0.labels.plan], $0.cell)
        }
        let others = refusedByCode.all.map { ([$0.labels.rawValue, "other", "other"], $0.cell) }
        return (passed + rest + refusals + others).map { ($0.0, Double($0.1.current)) }
    }
}
