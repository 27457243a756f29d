import Domain
import Support
import Testing

@Suite("Reservation")
struct ReservationTests {
    private static let now = Timestamp(milliseconds: 1_795_452_720_000)  // 2026-11-23T16:52:00Z
    private let user: UserID
    private let key: APIKeyID
    private let ids: [ReservationID]

    init() {
        var random = SplitMix64(seed: 5)
        user = ID(at: Self.now, using: &random)
        key = ID(at: Self.now, using: &random)
        ids = (0..<1001).map { _ in ID(at: Self.now, using: &random) }
    }

    private func hold(
        _ number: Int, _ amount: Int64, seconds: Int64 = 60, key: APIKeyID? = nil,
        at now: Timestamp = Self.now
    ) -> Reservation {
        Reservation(
            id: ids[number], userID: user, keyID: key, metric: "a", amount: amount,
            createdAt: now, expiresAt: now + .seconds(seconds))
    }

    private func shown(_ customer: Customer, at now: Timestamp = Self.now) -> [Int64] {
        customer.report(at: now).metrics.map(\.used)
    }

    @Test("What is held is off the quota at once, and is not used")
    func holds() throws {
        var customer = Customer(standing: try Standing(json: #"{"a_per_day":10}"#))
        var review = Review()
        #expect(customer.reserve(hold(0, 7), at: Self.now, &review).isGranted)
        #expect(review.states.map(\.used) == [7])
        #expect(review.states.map(\.remaining) == [3])
        #expect(review.bookings.isEmpty)
        #expect(customer.used("a", .day, at: Self.now) == 0)
        #expect(shown(customer) == [7])
        #expect(customer.report(at: Self.now).metrics.map(\.remaining) == [3])
        #expect(!customer.admit(Demand(metric: "a", cost: 4), at: Self.now).isGranted)
        #expect(!customer.reserve(hold(1, 4), at: Self.now).isGranted)
        #expect(customer.admit(Demand(metric: "a", cost: 3), at: Self.now).isGranted)
    }

    @Test("A commit books what was used and frees the rest", arguments: [Int64](0...7))
    func commits(amount: Int64) throws {
        var customer = Customer(standing: try Standing(json: #"{"a_per_day":10}"#))
        var review = Review()
        _ = customer.reserve(hold(0, 7), at: Self.now)
        #expect(customer.commit(ids[0], amount, at: Self.now, &review).isGranted)
        #expect(review.bookings.map(\.cost) == (amount > 0 ? [amount] : []))
        #expect(review.states.map(\.used) == [amount])
        #expect(customer.used("a", .day, at: Self.now) == amount)
        #expect(shown(customer) == [amount])
        #expect(customer.commit(ids[0], amount, at: Self.now) == .lost)
    }

    @Test("More than was reserved is committed up to what remains, and past it nothing changes")
    func excess() throws {
        var customer = Customer(
            standing: try Standing(json: #"{"a_per_day":10,"a_per_second":100}"#))
        _ = customer.reserve(hold(0, 4), at: Self.now)
        _ = customer.admit(Demand(metric: "a", cost: 3), at: Self.now)
        let before = customer
        let refusal = try customer.commit(ids[0], 8, at: Self.now).refusal()
        #expect(refusal.reason == .quota)
        #expect(refusal.state.used == 7)
        #expect(customer == before)
        #expect(customer.commit(ids[0], 7, at: Self.now).isGranted)
        #expect(customer.used("a", .day, at: Self.now) == 10)
    }

    @Test("Rates are debited when reserved, and by a commit for the excess alone")
    func rates() throws {
        var customer = Customer(standing: try Standing(json: #"{"a_per_second":10}"#))
        func remaining() -> Int64? {
            guard let rule = customer.standing?.rules.rules(for: "a")?.second else { return nil }
            return customer.account.meter("a")?[.second].remaining(under: rule, at: Self.now)
        }
        _ = customer.reserve(hold(0, 4), at: Self.now)
        _ = customer.reserve(hold(1, 2), at: Self.now)
        #expect(remaining() == 4)
        #expect(customer.release(ids[1], at: Self.now) == true)
        #expect(remaining() == 4)
        #expect(try customer.commit(ids[0], 9, at: Self.now).refusal().reason == .rate)
        #expect(customer.commit(ids[0], 6, at: Self.now).isGranted)
        #expect(remaining() == 2)
    }

    @Test("A released reservation is given back, once")
    func released() throws {
        var customer = Customer(standing: try Standing(json: #"{"a_per_day":10}"#))
        _ = customer.reserve(hold(0, 7), at: Self.now)
        #expect(customer.release(ids[0], at: Self.now) == true)
        #expect(shown(customer) == [0])
        #expect(customer.release(ids[0], at: Self.now) == false)
        #expect(customer.reserve(hold(1, 10), at: Self.now).isGranted)
    }

    @Test("Past its time a reservation gives itself back, and a commit finds it lost")
    func expires() throws {
        var customer = Customer(standing: try Standing(json: #"{"a_per_day":10}"#))
        _ = customer.reserve(hold(0, 7, seconds: 60), at: Self.now)
        let end = Self.now + .seconds(60)
        let last = end - .milliseconds(1)
        #expect(customer.reservation(ids[0], at: last) != nil)
        #expect(customer.reservation(ids[0], at: end) == nil)
        #expect(shown(customer, at: last) == [7])
        #expect(shown(customer, at: end) == [0])
        #expect(!customer.admit(Demand(metric: "a", cost: 4), at: last).isGranted)
        #expect(customer.admit(Demand(metric: "a", cost: 4), at: end).isGranted)
        #expect(customer.commit(ids[0], 1, at: end) == .lost)
        #expect(customer.release(ids[0], at: end) == false)
    }

    @Test("A refusal by what is held can be asked again when enough of it has ended")
    func retry() throws {
        var customer = Customer(standing: try Standing(json: #"{"a_per_day":10}"#))
        _ = customer.reserve(hold(0, 3, seconds: 300), at: Self.now)
        _ = customer.reserve(hold(1, 3, seconds: 100), at: Self.now)
        _ = customer.reserve(hold(2, 3, seconds: 200), at: Self.now)
        func retryAt(_ cost: Int64) throws -> Timestamp? {
            try customer.admit(Demand(metric: "a", cost: cost), at: Self.now).refusal().retryAt
        }
        #expect(try retryAt(4) == Self.now + .seconds(100))
        #expect(try retryAt(5) == Self.now + .seconds(200))
        #expect(try retryAt(10) == Self.now + .seconds(300))
    }

    @Test("A hold outlives the window it began in, so a commit in the next never overshoots")
    func windowEnd() throws {
        var customer = Customer(standing: try Standing(json: #"{"a_per_hour":10}"#))
        let end = try #require(Timestamp("2026-11-23T17:00:00Z"))
        let before = end - .seconds(1)
        _ = customer.admit(Demand(metric: "a", cost: 4), at: before)
        _ = customer.reserve(hold(0, 6, seconds: 60, at: before), at: before)
        // The window begins with nothing used and 6 held.
        let refusal = try customer.admit(Demand(metric: "a", cost: 5), at: before).refusal()
        #expect(refusal.retryAt == before + .seconds(60))
        #expect(shown(customer, at: end) == [6])
        #expect(customer.admit(Demand(metric: "a", cost: 4), at: end).isGranted)
        #expect(!customer.admit(Demand(metric: "a"), at: end).isGranted)
        var review = Review()
        #expect(customer.commit(ids[0], 6, at: end, &review).isGranted)
        #expect(review.bookings.map(\.hourIndex) == [Window.hour.index(of: end)])
        #expect(customer.used("a", .hour, at: end) == 10)
    }

    @Test("An excess that fits only after the reservation ends can never pass")
    func excessTooLate() throws {
        var customer = Customer(standing: try Standing(json: #"{"a_per_day":10}"#))
        _ = customer.reserve(hold(0, 5, seconds: 60), at: Self.now)
        _ = customer.reserve(hold(1, 3, seconds: 30), at: Self.now)
        let early = try customer.commit(ids[0], 9, at: Self.now).refusal()
        #expect(early.retryAt == Self.now + .seconds(30))
        #expect(early.canEverPass)
        #expect(try !customer.commit(ids[0], 11, at: Self.now).refusal().canEverPass)
    }

    @Test("A key's quota holds too, and the excess is a demand of the key that commits")
    func ofKey() throws {
        var random = SplitMix64(seed: 6)
        let other: APIKeyID = ID(at: Self.now, using: &random)
        var customer = Customer(standing: try Standing(json: #"{"a_per_day":100}"#))
        let rules = Customer.KeyRules(id: key, rules: try Ruleset(json: #"{"a_per_day":10}"#))
        let others = Customer.KeyRules(id: other, rules: try Ruleset(json: #"{"a_per_day":3}"#))
        #expect(customer.reserve(hold(0, 8, key: key), key: rules, at: Self.now).isGranted)
        let demand = Demand(metric: "a", cost: 3)
        #expect(!customer.admit(demand, key: rules, at: Self.now).isGranted)
        #expect(customer.admit(demand, at: Self.now).isGranted)
        #expect(!customer.commit(ids[0], 12, key: others, at: Self.now).isGranted)
        var review = Review()
        #expect(customer.commit(ids[0], 11, key: others, at: Self.now, &review).isGranted)
        let costs = Dictionary(
            uniqueKeysWithValues: review.bookings.map { ($0.owner, $0.cost) })
        #expect(costs == [nil: 11, key: 8, other: 3])
        #expect(customer.keys[key]?.meter("a")?.held == 0)
        #expect(customer.keys[key]?.tally("a")?.counter(.day, at: Self.now).used == 8)
    }

    @Test("A quota that allows overage refuses no hold")
    func overage() throws {
        var customer = Customer(
            standing: try Standing(json: #"{"a_per_day":{"limit":2,"overage":"allow"}}"#))
        #expect(customer.reserve(hold(0, 50), at: Self.now).isGranted)
        #expect(customer.commit(ids[0], 90, at: Self.now).isGranted)
        #expect(customer.used("a", .day, at: Self.now) == 90)
    }

    @Test("A commit of what was reserved passes without a plan and under a smaller one")
    func afterPlanChange() throws {
        var customer = Customer(standing: try Standing(json: #"{"a_per_day":10}"#))
        _ = customer.reserve(hold(0, 7), at: Self.now)
        _ = customer.reserve(hold(1, 1), at: Self.now)
        customer.standing = try Standing(json: #"{"a_per_day":5}"#)
        #expect(!customer.admit(Demand(metric: "a"), at: Self.now).isGranted)
        #expect(customer.commit(ids[0], 7, at: Self.now).isGranted)
        customer.standing = nil
        #expect(customer.commit(ids[1], 2, at: Self.now) == .unsubscribed)
        #expect(customer.commit(ids[1], 1, at: Self.now).isGranted)
        #expect(customer.used("a", .day, at: Self.now) == 8)
    }

    @Test("A reservation taken over from the store holds again, unless its time is past")
    func restored() throws {
        var customer = Customer(standing: try Standing(json: #"{"a_per_day":10}"#))
        customer.restore(hold(0, 7, key: key), at: Self.now)
        customer.restore(hold(1, 3, seconds: 0), at: Self.now)
        #expect(shown(customer) == [7])
        #expect(customer.keys[key]?.meter("a")?.held == 7)
        #expect(customer.commit(ids[0], 7, at: Self.now).isGranted)
        #expect(customer.commit(ids[1], 3, at: Self.now) == .lost)
    }

    @Test("A customer has a thousand live reservations at most")
    func bounded() throws {
        var customer = Customer(standing: try Standing(json: "{}"))
        for number in 0..<Reservation.perCustomerMax {
            #expect(customer.reserve(hold(number, 1), at: Self.now).isGranted)
        }
        let before = customer
        #expect(customer.reserve(hold(1000, 1), at: Self.now) == .tooManyLive)
        #expect(customer == before)
        #expect(customer.reserve(hold(1000, 1), at: Self.now + .seconds(60)).isGranted)
    }

    @Test("A key is forgotten once nothing of it is held, and nothing brings it back")
    func forgotten() throws {
        var customer = Customer(standing: try Standing(json: #"{"a_per_day":10}"#))
        let rules = Customer.KeyRules(id: key, rules: try Ruleset(json: #"{"a_per_day":9}"#))
        var review = Review()
        #expect(
            customer.admit(Demand(metric: "a", cost: 2), key: rules, at: Self.now, &review)
                .isGranted)
        let bookings = review.bookings
        #expect(customer.reserve(hold(0, 3, key: key), key: rules, at: Self.now).isGranted)
        let end = Self.now + .seconds(60)
        #expect(customer.lastHold(of: key, at: Self.now) == end)
        customer.forget(key, at: Self.now)
        #expect(customer.keys[key]?.tally("a")?.counter(.day, at: Self.now).used == 2)
        // The hold gives itself back before the key goes.
        #expect(customer.lastHold(of: key, at: end) == nil)
        customer.forget(key, at: end)
        #expect(customer.keys.isEmpty && shown(customer, at: end) == [2])
        // Late as it is, the journal is told of all that it has.
        customer.giveBack(Demand(metric: "a", cost: 2), key: rules, bookings, &review)
        #expect(review.bookings.map(\.cost) == [-2, -2])
        #expect(review.bookings.map(\.owner) == [nil, key])
        for booking in bookings { customer.setPlace(7, of: booking) }
        #expect(customer.keys.isEmpty && shown(customer, at: end) == [0])
    }

    @Test("A key is forgotten with its blocks counted, and what is left is a state to be read")
    func forgottenWithBlocks() throws {
        var customer = Customer(standing: try Standing(json: #"{"a_per_day":1000}"#))
        let rules = Customer.KeyRules(id: key, rules: try Ruleset(json: #"{"a_per_day":900}"#))
        var random = SplitMix64(seed: 6)
        let end = Self.now + .seconds(3)
        // Of a node that dies with it.
        let block = customer.lend(
            20, of: "a", key: rules, id: ID(at: Self.now, using: &random), at: Self.now, until: end)
        #expect(block?.amount == 20)
        #expect(customer.lastHold(of: key, at: Self.now) == end)
        customer.forget(key, at: Self.now)
        #expect(customer.keys[key] != nil)
        customer.forget(key, at: Self.now + .seconds(60))
        #expect(customer.keys.isEmpty && customer.used("a", .day, at: Self.now) == 20)
        var read = Customer(standing: nil)
        let isRead = read.adopt(customer.shared())
        #expect(isRead)
    }

    @Test(
        "However holds end, used and held never pass a bound by 1, in any window",
        arguments: [UInt64](1...25))
    func neverPastTheBound(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let limits = "{\"a_per_hour\":10,\"a_per_day\":\(random.int(10...25)),\"a_per_month\":60}"
        var customer = Customer(standing: try Standing(json: limits))
        var now = try #require(Timestamp("2028-02-29T22:30:00Z"))
        var live: [ReservationID] = []
        for step in 0..<300 {
            now = now + .milliseconds(random.pick([0, 0, 1, 500, 30_000, 900_000]))
            if random.chance(5) { now = now - .seconds(random.pick([1, 30, 4000])) }
            switch random.int(0...3) {
            case 0: _ = customer.admit(Demand(metric: "a", cost: random.int(0...4)), at: now)
            case 1, 2:
                let next = Reservation(
                    id: ID(at: now, using: &random), userID: user, keyID: nil, metric: "a",
                    amount: random.int(0...5), createdAt: now,
                    expiresAt: now + .seconds(random.int(1...3600)))
                live.append(next.id)
                _ = customer.reserve(next, at: now)
            default:
                guard let id = live.popLast() else { continue }
                _ = customer.commit(id, random.int(0...8), at: now)
            }
            for later in [0, 4_000_000] as [Int64] {
                for metric in customer.report(at: now + .milliseconds(later)).metrics {
                    #expect(
                        metric.used <= metric.limit ?? 0, "seed \(seed), step \(step): \(metric)")
                }
            }
        }
    }
}
