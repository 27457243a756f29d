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

    @Test("Without a plan, and after its end, nothing passes")
    func noPlan() throws {
        var customer = Customer(standing: nil)
        #expect(customer.admit(Demand(metric: "a"), at: Self.now) == .unsubscribed)
        customer.standing = try Standing(json: "{}", expiresAt: Self.now)
        #expect(customer.admit(Demand(metric: "a"), at: Self.now) == .stale)
        #expect(customer.admit(Demand(metric: "a"), at: Self.now - .milliseconds(1)).isGranted)
    }

    @Test("The last unit of a quota passes, the next is refused until the window ends")
    func quota() throws {
        var customer = Customer(standing: try Standing(json: #"{"requests_per_day":2}"#))
        let demand = Demand(metric: "requests")
        #expect(customer.admit(demand, at: Self.now).isGranted)
        #expect(customer.admit(demand, at: Self.now).isGranted)
        let refusal = try customer.admit(demand, at: Self.now).refusal()
        #expect(refusal.reason == .quota)
        #expect(refusal.state.name == "requests_per_day")
        #expect(refusal.state.allowed == 2)
        #expect(refusal.state.used == 2)
        #expect(refusal.state.remaining == 0)
        let end = try #require(Timestamp("2026-11-24T00:00:00Z"))
        #expect(refusal.retryAt == end)
        #expect(refusal.state.resetsAt == end)
        #expect(!customer.admit(demand, at: end - .milliseconds(1)).isGranted)
        #expect(customer.admit(demand, at: end).isGranted)
    }

    @Test("A grant shows each limit as it stands after it")
    func states() throws {
        var customer = Customer(
            standing: try Standing(json: #"{"a_per_month":10,"a_per_second":5,"a_burst":8}"#))
        var review = Review()
        let demand = Demand(metric: "a", cost: 3)
        #expect(customer.admit(demand, at: Self.now, &review) == .granted)
        let states = review.states
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
            standing: try Standing(json: #"{"a_per_month":{"limit":2,"overage":"allow"}}"#))
        for _ in 0..<5 { #expect(customer.admit(Demand(metric: "a"), at: Self.now).isGranted) }
        #expect(customer.used("a", .month, at: Self.now) == 5)
    }

    @Test("A key's limit refuses without taking from the plan's")
    func keyRefuses() throws {
        var customer = Customer(standing: try Standing(json: #"{"a_per_day":10}"#))
        let key = Customer.KeyRules(id: keyID, rules: try Ruleset(json: #"{"a_per_hour":1}"#))
        #expect(customer.admit(Demand(metric: "a"), key: key, at: Self.now).isGranted)
        let before = customer
        let refusal = try customer.admit(Demand(metric: "a"), key: key, at: Self.now).refusal()
        #expect(refusal.state.name == "a_per_hour")
        #expect(customer == before)
        #expect(customer.admit(Demand(metric: "a"), at: Self.now).isGranted)
        #expect(customer.used("a", .day, at: Self.now) == 2)
        #expect(customer.keys[keyID]?.tally("a")?.counter(.hour, at: Self.now).used == 1)
    }

    @Test("The plan's limit refuses without taking from the key's")
    func planRefuses() throws {
        var customer = Customer(standing: try Standing(json: #"{"a_per_day":1}"#))
        let key = Customer.KeyRules(id: keyID, rules: try Ruleset(json: #"{"a_per_hour":5}"#))
        #expect(customer.admit(Demand(metric: "a"), key: key, at: Self.now).isGranted)
        let before = customer
        #expect(!customer.admit(Demand(metric: "a"), key: key, at: Self.now).isGranted)
        #expect(customer == before)
    }

    @Test("Of a limit that both have, the one with less left is shown")
    func sameName() throws {
        var customer = Customer(standing: try Standing(json: #"{"a_per_day":10}"#))
        let key = Customer.KeyRules(id: keyID, rules: try Ruleset(json: #"{"a_per_day":4}"#))
        var review = Review()
        #expect(customer.admit(Demand(metric: "a"), key: key, at: Self.now, &review) == .granted)
        let states = review.states
        #expect(states.map(\.name) == ["a_per_day"])
        #expect(states.map(\.allowed) == [4])
        #expect(states.map(\.remaining) == [3])
    }

    @Test("A stock refuses without a time to retry, and frees when something goes")
    func stock() throws {
        var customer = Customer(standing: try Standing(json: #"{"max_items":2,"a_per_day":9}"#))
        let demand = Demand(metric: "a", resource: "items")
        customer.restore(stock: "items", 1)
        #expect(customer.admit(demand, at: Self.now).isGranted)
        let before = customer
        let refusal = try customer.admit(demand, at: Self.now).refusal()
        #expect(refusal.reason == .stock)
        #expect(refusal.retryAt == nil)
        #expect(refusal.state.name == "max_items")
        #expect(refusal.state.used == 2)
        #expect(customer == before)
        customer.remove("items")
        #expect(customer.admit(demand, at: Self.now).isGranted)
    }

    @Test("A stock never falls below 0")
    func stockFloor() throws {
        var customer = Customer(standing: try Standing(json: #"{"max_items":1}"#))
        customer.remove("items")
        #expect(customer.stocks["items"] == 0)
    }

    @Test("Asking without taking passes at a full quota and takes nothing")
    func costZero() throws {
        var customer = Customer(standing: try Standing(json: #"{"a_per_day":1,"a_per_second":1}"#))
        _ = customer.admit(Demand(metric: "a"), at: Self.now)
        #expect(customer.admit(Demand(metric: "a", cost: 0), at: Self.now).isGranted)
        #expect(customer.used("a", .day, at: Self.now) == 1)
    }

    @Test("A grant given back leaves every count as it was")
    func giveBack() throws {
        var customer = Customer(
            standing: try Standing(json: #"{"a_per_day":9,"a_per_second":9,"max_items":3}"#))
        let key = Customer.KeyRules(id: keyID, rules: try Ruleset(json: #"{"a_per_hour":5}"#))
        let demand = Demand(metric: "a", cost: 2, resource: "items")
        _ = customer.admit(demand, key: key, at: Self.now)
        let report = customer.report(at: Self.now)
        let before = customer
        var review = Review()
        _ = customer.admit(demand, key: key, at: Self.now, &review)
        let bookings = review.bookings
        customer.giveBack(demand, key: key, bookings, &review)
        #expect(review.bookings.map(\.cost) == bookings.map { -$0.cost })
        #expect(customer == before)
        #expect(customer.report(at: Self.now) == report)
    }

    @Test("A change of plan keeps what was used, and what remains never falls below 0")
    func changeOfPlan() throws {
        var customer = Customer(standing: try Standing(json: #"{"a_per_month":10}"#))
        for _ in 0..<8 { _ = customer.admit(Demand(metric: "a"), at: Self.now) }
        customer.standing = try Standing(json: #"{"a_per_month":5}"#)
        let refusal = try customer.admit(Demand(metric: "a"), at: Self.now).refusal()
        #expect(refusal.state.used == 8)
        #expect(refusal.state.remaining == 0)
        customer.standing = try Standing(json: #"{"a_per_month":9}"#)
        #expect(customer.admit(Demand(metric: "a"), at: Self.now).isGranted)
        #expect(!customer.admit(Demand(metric: "a"), at: Self.now).isGranted)
    }

    @Test("A customer cannot be counted under more than 64 invented metrics")
    func manyMetrics() throws {
        var customer = Customer(standing: try Standing(json: #"{"requests_per_day":5}"#))
        for number in 0..<Demand.metricsMax {
            #expect(customer.admit(Demand(metric: "m\(number)"), at: Self.now).isGranted)
        }
        #expect(customer.admit(Demand(metric: "one_more"), at: Self.now) == .tooManyMetrics)
        #expect(customer.admit(Demand(metric: "m0"), at: Self.now).isGranted)
        #expect(customer.admit(Demand(metric: "requests"), at: Self.now).isGranted)
    }

    @Test("A grant says what was counted, in which hour and for whom")
    func bookings() throws {
        var customer = Customer(standing: try Standing(json: "{}"))
        let key = Customer.KeyRules(id: keyID, rules: try Ruleset(json: #"{"b_per_hour":5}"#))
        var review = Review()
        _ = customer.admit(Demand(metric: "a", cost: 3), key: key, at: Self.now, &review)
        #expect(review.bookings.map(\.owner) == [nil, keyID])
        let hour = Window.hour.index(of: Self.now)
        for booking in review.bookings {
            #expect(booking.metric == "a")
            #expect(booking.hourIndex == hour)
            #expect(booking.cost == 3)
            #expect(booking.place == nil)
        }
        _ = customer.admit(Demand(metric: "a", cost: 0), key: key, at: Self.now, &review)
        #expect(review.bookings.isEmpty)
    }

    @Test("A booking knows the place of the one before it in its hour, each ledger its own")
    func places() throws {
        var customer = Customer(standing: try Standing(json: "{}"))
        let key = Customer.KeyRules(id: keyID, rules: .none)
        let demand = Demand(metric: "a")
        var review = Review()
        _ = customer.admit(demand, key: key, at: Self.now, &review)
        for (place, booking) in review.bookings.enumerated() {
            customer.setPlace(Int64(place + 40), of: booking)
        }
        _ = customer.admit(demand, key: key, at: Self.now, &review)
        #expect(review.bookings.map(\.place) == [40, 41])
        let old = review.bookings
        _ = customer.admit(demand, key: key, at: Self.now + .seconds(3600), &review)
        #expect(review.bookings.map(\.place) == [nil, nil])
        for booking in old { customer.setPlace(99, of: booking) }
        _ = customer.admit(demand, key: key, at: Self.now + .seconds(3600), &review)
        #expect(review.bookings.map(\.place) == [nil, nil])
    }

    @Test("After the clock stepped back, a booking names the later hour that it was counted in")
    func bookingAfterStepBack() throws {
        var customer = Customer(standing: try Standing(json: "{}"))
        var review = Review()
        _ = customer.admit(Demand(metric: "a"), at: Self.now, &review)
        _ = customer.admit(Demand(metric: "a"), at: Self.now - .seconds(7200), &review)
        #expect(review.bookings.map(\.hourIndex) == [Window.hour.index(of: Self.now)])
    }

    @Test("A clock that stepped back an hour does not keep a customer out for an hour")
    func rateAfterStepBack() throws {
        var customer = Customer(standing: try Standing(json: #"{"a_per_second":10}"#))
        let key = Customer.KeyRules(id: keyID, rules: try Ruleset(json: #"{"a_per_second":5}"#))
        let demand = Demand(metric: "a", cost: 5)
        #expect(customer.admit(demand, key: key, at: Self.now).isGranted)
        #expect(customer.admit(demand, at: Self.now).isGranted)
        let earlier = Self.now - .seconds(3600)
        let one = Demand(metric: "a")
        let refusal = try customer.admit(one, key: key, at: earlier).refusal()
        #expect(refusal.retryAt == earlier + .milliseconds(200))
        #expect(!customer.admit(one, key: key, at: earlier + .milliseconds(199)).isGranted)
        #expect(customer.admit(one, key: key, at: earlier + .milliseconds(200)).isGranted)
    }

    @Test("Requests that come a moment late drain no rate twice")
    func lateRequests() throws {
        var customer = Customer(standing: try Standing(json: #"{"a_per_second":10}"#))
        #expect(customer.admit(Demand(metric: "a", cost: 10), at: Self.now).isGranted)
        for late in Int64(0)..<500 {
            #expect(!customer.admit(Demand(metric: "a"), at: Self.now).isGranted)
            let earlier = Self.now - .milliseconds(late)
            #expect(!customer.admit(Demand(metric: "a"), at: earlier).isGranted)
        }
        #expect(!customer.admit(Demand(metric: "a"), at: Self.now + .milliseconds(99)).isGranted)
        #expect(customer.admit(Demand(metric: "a"), at: Self.now + .milliseconds(100)).isGranted)
        #expect(!customer.admit(Demand(metric: "a"), at: Self.now + .milliseconds(100)).isGranted)
    }

    @Test("A refusal tells whether the demand can ever pass")
    func canEverPass() throws {
        func refusal(_ limits: String, cost: Int64) throws -> Refusal {
            var customer = Customer(standing: try Standing(json: limits))
            _ = customer.admit(Demand(metric: "a", cost: 2), at: Self.now)
            return try customer.admit(Demand(metric: "a", cost: cost), at: Self.now).refusal()
        }
        #expect(try refusal(#"{"a_per_day":3}"#, cost: 3).canEverPass)
        #expect(try !refusal(#"{"a_per_day":3}"#, cost: 4).canEverPass)
        #expect(try refusal(#"{"a_per_second":3}"#, cost: 3).canEverPass)
        #expect(try !refusal(#"{"a_per_second":3}"#, cost: 4).canEverPass)
        #expect(try !refusal(#"{"a_per_second":0,"a_burst":3}"#, cost: 2).canEverPass)
        // The quota would pass tomorrow, the rate never does: that is what counts.
        let both = try refusal(#"{"a_per_day":5,"a_per_second":3}"#, cost: 4)
        #expect(!both.canEverPass)
        #expect(both.reason == .rate)
        #expect(both.retryAt == Self.now + .seconds(1))
    }

    @Test("A stock of none can never be had, any other when something goes")
    func stockCanEverPass() throws {
        var customer = Customer(standing: try Standing(json: #"{"max_a":0,"max_b":1}"#))
        let none = Demand(metric: "x", resource: "a")
        #expect(try !customer.admit(none, at: Self.now).refusal().canEverPass)
        let one = Demand(metric: "x", resource: "b")
        #expect(customer.admit(one, at: Self.now).isGranted)
        #expect(try customer.admit(one, at: Self.now).refusal().canEverPass)
    }

    @Test("A rate taken over by its name goes on where it was")
    func restoredRate() throws {
        var customer = Customer(standing: try Standing(json: #"{"a_per_minute":10}"#))
        let full = RateLimiter(backlog: 10 * 60_000, updatedAt: Self.now)
        customer.edit(nil) { $0.restore("a_per_minute", full, at: Self.now) }
        customer.edit(nil) { $0.restore("max_a", full, at: Self.now) }
        let refusal = try customer.admit(Demand(metric: "a"), at: Self.now).refusal()
        #expect(refusal.retryAt == Self.now + .seconds(6))
        #expect(customer.account.meters.map(\.metric) == ["a"])
    }

    @Test("A rate taken over from later than now does not wait for its clock")
    func restoredLaterRate() throws {
        var customer = Customer(standing: try Standing(json: #"{"a_per_minute":10}"#))
        let full = RateLimiter(backlog: 10 * 60_000, updatedAt: Self.now + .seconds(7200))
        customer.edit(nil) { $0.restore("a_per_minute", full, at: Self.now) }
        let refusal = try customer.admit(Demand(metric: "a"), at: Self.now).refusal()
        #expect(refusal.retryAt == Self.now + .seconds(6))
    }

    @Test("Only rates that outlast a restart are kept for it")
    func slowRates() throws {
        var customer = Customer(
            standing: try Standing(
                json:
                    #"{"a_per_minute":60,"b_per_second":5,"c_per_second":1,"c_burst":9}"#))
        for metric in ["a", "b", "c"] { _ = customer.admit(Demand(metric: metric), at: Self.now) }
        #expect(Set(customer.slowRates().map(\.name)) == ["a_per_minute", "c_per_second"])
    }
}
