/// What a customer is entitled to right now.
package struct Standing: Equatable, Sendable {
    package let planSlug: String
    package let rules: Ruleset
    package let expiresAt: Timestamp?

    package init(planSlug: String, rules: Ruleset, expiresAt: Timestamp?) {
        self.planSlug = planSlug
        self.rules = rules
        self.expiresAt = expiresAt
    }
}
