import Domain
import Support
import Testing

@Suite("Customer")
struct CustomerTests {
    private static let now = Timestamp(milliseconds: 1_795_452_720_000)  // 2026-11-23T16:52:00Z
    private let keyID: APIKeyID

    init() {
        var random = SplitMix64(seed: 21)
        keyID = ID(at: Self.now, using: &random)
    }

    private func rules(_ text: String) throws -> Ruleset {
        Ruleset(try Limits(json: JSONParser.parse(Array(text.utf8))))
    }

    private func standing(_ text: String, expiresAt: Timestamp? = nil) throws -> Standing {
        Standing(planSlug: "pro", rules: try rules(text), expiresAt: expiresAt)
    }

    private func refusal(_ decision: Decision) throws -> Refusal {
        guard case .refused(let refusal, _) = decision else {
            throw Unexpected(decision: decision)
        }
        return refusal
    }

    private struct Unexpected: Error { let decision: Decision }

    private func isGranted(_ decision: Decision) -> Bool {
        if case .granted = decision { true } else { false }
    }

    @Test("Without a plan, and after its end, nothing passes")
    func noPlan() throws {
        var customer = Customer(standing: nil)
        #expect(customer.admit(Demand(metric: "a"), at: Self.now) == .unsubscribed)
        customer.standing = try standing("{}", expiresAt: Self.now)
        #expect(customer.admit(Demand(metric: "a"), at: Self.now) == .stale)
        #expect(isGranted(customer.admit(Demand(metric: "a"), at: Self.now - .milliseconds(1))))
    }

    @Test("The last unit of a quota passes, the next is refused until the window ends")
    func quota() throws {
        var customer = Customer(standing: try standing(#"{"requests_per_day":2}"#))
        let demand = Demand(metric: "requests")
        #expect(isGranted(customer.admit(demand, at: Self.now)))
        #expect(isGranted(customer.admit(demand, at: Self.now)))
        let refusal = try refusal(customer.admit(demand, at: Self.now))
        #expect(refusal.reason == .quota)
        #expect(refusal.state.name == "requests_per_day")
        #expect(refusal.state.allowed == 2)
        #expect(refusal.state.used == 2)
        #expect(refusal.state.remaining == 0)
        let end = try #require(Timestamp("2026-11-24T00:00:00Z"))
        #expect(refusal.retryAt == end)
        #expect(refusal.state.resetsAt == end)
        #expect(!isGranted(customer.admit(demand, at: end - .milliseconds(1))))
        #expect(isGranted(customer.admit(demand, at: end)))
    }

    @Test("A grant shows each limit as it stands after it")
    func states() throws {
        var customer = Customer(
            standing: try standing(#"{"a_per_month":10,"a_per_second":5,"a_burst":8}"#))
        guard case .granted(let states) = customer.admit(Demand(metric: "a", cost: 3), at: Self.now)
        else {
            Issue.record("refused")
            return
        }
        let month = try #require(states.first { $0.name == "a_per_month" })
        #expect(month.allowed == 10 && month.used == 3 && month.remaining == 7)
        #expect(month.windowSeconds == 30 * 86_400)
        let second = try #require(states.first { $0.name == "a_per_second" })
        #expect(second.allowed == 5 && second.used == 3 && second.remaining == 5)
        #expect(second.windowSeconds == 1)
        #expect(second.resetsAt == Self.now + .milliseconds(600))
    }

    @Test("A quota with overage counts and grants past its limit")
    func overage() throws {
        var customer = Customer(
            standing: try standing(#"{"a_per_month":{"limit":2,"overage":"allow"}}"#))
        for _ in 0..<5 { #expect(isGranted(customer.admit(Demand(metric: "a"), at: Self.now))) }
        #expect(customer.account.tally("a")?.counter(.month, at: Self.now).used == 5)
    }

    @Test("A key's limit refuses without taking from the plan's")
    func keyRefuses() throws {
        var customer = Customer(standing: try standing(#"{"a_per_day":10}"#))
        let key = Customer.KeyRules(id: keyID, rules: try rules(#"{"a_per_hour":1}"#))
        #expect(isGranted(customer.admit(Demand(metric: "a"), key: key, at: Self.now)))
        let before = customer
        let refusal = try refusal(customer.admit(Demand(metric: "a"), key: key, at: Self.now))
        #expect(refusal.state.name == "a_per_hour")
        #expect(customer == before)
        #expect(isGranted(customer.admit(Demand(metric: "a"), at: Self.now)))
        #expect(customer.account.tally("a")?.counter(.day, at: Self.now).used == 2)
        #expect(customer.keys[keyID]?.tally("a")?.counter(.hour, at: Self.now).used == 1)
    }

    @Test("The plan's limit refuses without taking from the key's")
    func planRefuses() throws {
        var customer = Customer(standing: try standing(#"{"a_per_day":1}"#))
        let key = Customer.KeyRules(id: keyID, rules: try rules(#"{"a_per_hour":5}"#))
        #expect(isGranted(customer.admit(Demand(metric: "a"), key: key, at: Self.now)))
        let before = customer
        #expect(!isGranted(customer.admit(Demand(metric: "a"), key: key, at: Self.now)))
        #expect(customer == before)
    }

    @Test("Of a limit that both have, the one with less left is shown")
    func sameName() throws {
        var customer = Customer(standing: try standing(#"{"a_per_day":10}"#))
        let key = Customer.KeyRules(id: keyID, rules: try rules(#"{"a_per_day":4}"#))
        guard
            case .granted(let states) = customer.admit(
                Demand(metric: "a"), key: key, at: Self.now)
        else {
            Issue.record("refused")
            return
        }
        #expect(states.map(\.name) == ["a_per_day"])
        #expect(states.map(\.allowed) == [4])
        #expect(states.map(\.remaining) == [3])
    }

    @Test("A stock refuses without a time to retry, and frees when something goes")
    func stock() throws {
        var customer = Customer(standing: try standing(#"{"max_items":2,"a_per_day":9}"#))
        let demand = Demand(metric: "a", resource: "items")
        customer.restore(stock: "items", 1)
        #expect(isGranted(customer.admit(demand, at: Self.now)))
        let before = customer
        let refusal = try refusal(customer.admit(demand, at: Self.now))
        #expect(refusal.reason == .stock)
        #expect(refusal.retryAt == nil)
        #expect(refusal.state.name == "max_items")
        #expect(refusal.state.used == 2)
        #expect(customer == before)
        customer.remove("items")
        #expect(isGranted(customer.admit(demand, at: Self.now)))
    }

    @Test("A stock never falls below 0")
    func stockFloor() throws {
        var customer = Customer(standing: try standing(#"{"max_items":1}"#))
        customer.remove("items")
        #expect(customer.stocks["items"] == 0)
    }

    @Test("Asking without taking passes at a full quota and takes nothing")
    func costZero() throws {
        var customer = Customer(standing: try standing(#"{"a_per_day":1,"a_per_second":1}"#))
        _ = customer.admit(Demand(metric: "a"), at: Self.now)
        #expect(isGranted(customer.admit(Demand(metric: "a", cost: 0), at: Self.now)))
        #expect(customer.account.tally("a")?.counter(.day, at: Self.now).used == 1)
    }

    @Test("A grant given back leaves every count as it was")
    func giveBack() throws {
        var customer = Customer(
            standing: try standing(#"{"a_per_day":9,"a_per_second":9,"max_items":3}"#))
        let key = Customer.KeyRules(id: keyID, rules: try rules(#"{"a_per_hour":5}"#))
        let demand = Demand(metric: "a", cost: 2, resource: "items")
        _ = customer.admit(demand, key: key, at: Self.now)
        let report = customer.report(at: Self.now)
        let before = customer
        _ = customer.admit(demand, key: key, at: Self.now)
        customer.giveBack(demand, key: key, takenAt: Self.now)
        #expect(customer == before)
        #expect(customer.report(at: Self.now) == report)
    }

    @Test("A change of plan keeps what was used, and what remains never falls below 0")
    func changeOfPlan() throws {
        var customer = Customer(standing: try standing(#"{"a_per_month":10}"#))
        for _ in 0..<8 { _ = customer.admit(Demand(metric: "a"), at: Self.now) }
        customer.standing = try standing(#"{"a_per_month":5}"#)
        let refusal = try refusal(customer.admit(Demand(metric: "a"), at: Self.now))
        #expect(refusal.state.used == 8)
        #expect(refusal.state.remaining == 0)
        customer.standing = try standing(#"{"a_per_month":9}"#)
        #expect(isGranted(customer.admit(Demand(metric: "a"), at: Self.now)))
        #expect(!isGranted(customer.admit(Demand(metric: "a"), at: Self.now)))
    }

    @Test("A customer cannot be counted under more than 64 invented metrics")
    func manyMetrics() throws {
        var customer = Customer(standing: try standing(#"{"requests_per_day":5}"#))
        for number in 0..<Demand.metricsMax {
            #expect(isGranted(customer.admit(Demand(metric: "m\(number)"), at: Self.now)))
        }
        #expect(customer.admit(Demand(metric: "one_more"), at: Self.now) == .tooManyMetrics)
        #expect(isGranted(customer.admit(Demand(metric: "m0"), at: Self.now)))
        #expect(isGranted(customer.admit(Demand(metric: "requests"), at: Self.now)))
    }

    @Test("Every count of the account and its keys is handed over once")
    func unsaved() throws {
        var customer = Customer(standing: try standing("{}"))
        let key = Customer.KeyRules(id: keyID, rules: try rules(#"{"a_per_hour":5}"#))
        #expect(!customer.isDirty)
        _ = customer.admit(Demand(metric: "a"), key: key, at: Self.now)
        #expect(customer.isDirty)
        let unsaved = customer.takeUnsaved()
        #expect(unsaved.count { $0.key == nil } == 3)
        #expect(unsaved.count { $0.key == keyID } == 3)
        #expect(!customer.isDirty)
        #expect(customer.takeUnsaved().isEmpty)
    }

    @Test("Only rates that outlast a restart are kept for it")
    func slowRates() throws {
        var customer = Customer(
            standing: try standing(
                #"{"a_per_minute":60,"b_per_second":5,"c_per_second":1,"c_burst":9}"#))
        for metric in ["a", "b", "c"] { _ = customer.admit(Demand(metric: metric), at: Self.now) }
        #expect(Set(customer.slowRates().map(\.name)) == ["a_per_minute", "c_per_second"])
    }
}
