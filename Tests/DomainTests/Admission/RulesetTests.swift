import Domain
import Testing

@Suite("Ruleset")
struct RulesetTests {
    private func rules(_ text: String) throws -> Ruleset {
        Ruleset(try Limits(json: JSONParser.parse(Array(text.utf8))))
    }

    @Test("A burst belongs to the metric's finest rate")
    func finestRate() throws {
        let rules = try rules(#"{"a_per_second":2,"a_per_minute":60,"a_burst":9}"#)
        let rates = try #require(rules.rules(for: "a")).rates
        #expect(rates.first { $0.name == "a_per_second" }?.burst == 9)
        #expect(rates.first { $0.name == "a_per_minute" }?.burst == 60)
    }

    @Test("A burst belongs to the minute where there is no second")
    func onlyMinute() throws {
        let rules = try rules(#"{"a_per_minute":60,"a_burst":9}"#)
        #expect(try #require(rules.rules(for: "a")).rates.map(\.burst) == [9])
    }

    @Test("A rate without a burst, or with an unlimited one, has one period's worth")
    func defaultBurst() throws {
        let plain = try rules(#"{"a_per_second":7}"#)
        #expect(try #require(plain.rules(for: "a")).rates.map(\.burst) == [7])
        let unlimited = try rules(#"{"a_per_second":7,"a_burst":null}"#)
        #expect(try #require(unlimited.rules(for: "a")).rates.map(\.burst) == [7])
    }

    @Test("What is unlimited has no rule")
    func unlimited() throws {
        let rules = try rules(#"{"a_per_day":null,"a_per_second":null,"max_b":null}"#)
        #expect(rules.rules(for: "a") == nil)
        #expect(rules.stock("b") == nil)
    }
}
