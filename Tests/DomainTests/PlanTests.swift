import Domain
import Testing

@Suite("Plan")
struct PlanTests {
    @Test(
        "A slug is lower-case letters, digits and inner hyphens",
        arguments: [
            ("free", true), ("pro-2", true), ("a", true), ("9", true), ("", false), ("-a", false),
            ("a-", false), ("A", false), ("a b", false), ("a_b", false), ("é", false),
            ("a/b", false), (String(repeating: "a", count: 40), true),
            (String(repeating: "a", count: 41), false),
        ])
    func slugs(text: String, isSlug: Bool) {
        #expect(Plan.isSlug(text) == isSlug)
    }
}
