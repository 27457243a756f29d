import Domain
import Support
import Testing

@Suite("Block")
struct BlockTests {
    private static let now = Timestamp(milliseconds: 1_795_452_720_000)  // 2026-11-23T16:52:00Z
    private let key: APIKeyID
    private let ids: [BlockID]

    init() {
        var random = SplitMix64(seed: 6)
        key = ID(at: Self.now, using: &random)
        ids = (0...64).map { _ in ID(at: Self.now, using: &random) }
    }

    private func rules(_ limits: String) throws -> Customer.KeyRules {
        Customer.KeyRules(id: key, rules: try Ruleset(json: limits))
    }

    private func lend(
        _ customer: inout Customer, _ number: Int = 0, _ wanted: Int64 = 1000,
        key: Customer.KeyRules? = nil, at now: Timestamp = Self.now
    ) -> Block? {
        customer.lend(
            wanted, of: "a", key: key, id: ids[number], at: now, until: now + .seconds(3))
    }

    private func settle(
        _ customer: inout Customer, _ number: Int, _ spent: Int64, at now: Timestamp = Self.now
    ) -> Bool {
        customer.settle(ids[number], spent: spent, usedAt: Self.now, key: nil, at: now)
    }

    private func ended(_ customer: inout Customer, at now: Timestamp) -> Bool {
        customer.endBlocks(at: now)
    }

    // MARK: What is lent

    @Test(
        "A 16th of what the nearest limit has left is lent",
        arguments: [
            (#"{"a_per_month":1600}"#, nil, 100),
            (#"{"a_per_month":1600,"a_per_hour":335}"#, nil, 20),
            (#"{"a_per_second":10,"a_burst":160}"#, nil, 10),
            (#"{"a_per_minute":1600,"a_per_second":400}"#, nil, 25),
            (#"{"a_per_month":{"limit":10,"overage":"allow"}}"#, nil, 1000),
            (#"{"b_per_month":10}"#, nil, 1000),
            (#"{"a_per_day":320}"#, #"{"a_per_day":1600}"#, 20),
            (#"{"a_per_day":1600}"#, #"{"a_per_second":320}"#, 20),
            (#"{"a_per_day":1600}"#, #"{"b_per_day":1}"#, 100),
            (#"{"a_per_month":128}"#, nil, 8),
            (#"{"a_per_month":127}"#, nil, nil),
            (#"{"a_per_month":0}"#, nil, nil),
        ] as [(String, String?, Int64?)])
    func amounts(plan: String, own: String?, amount: Int64?) throws {
        var customer = Customer(standing: try Standing(json: plan))
        let block = lend(&customer, key: try own.map { try rules($0) })
        #expect(block?.amount == amount)
        #expect(block?.keyID == (own == nil ? nil : key))
        #expect(customer.account.meter("a")?.lent ?? 0 == amount ?? 0)
        let isKeys = own != nil && amount != nil
        #expect(customer.keys[key]?.meter("a")?.lent == (isKeys ? amount : nil))
        #expect(customer.blocks == (block.map { [$0] } ?? []))
        #expect(customer.hasBlocks(of: "a") == (block != nil) && !customer.hasBlocks(of: "b"))
    }

    @Test("What is used, held and lent is not lent again")
    func room() throws {
        var customer = Customer(standing: try Standing(json: #"{"a_per_month":1600}"#))
        #expect(customer.admit(Demand(metric: "a", cost: 320), at: Self.now).isGranted)
        let hold = Reservation(
            id: ID(high: 1, low: 1), userID: ID(high: 1, low: 2), keyID: nil, metric: "a",
            amount: 320, createdAt: Self.now, expiresAt: Self.now + .seconds(60))
        #expect(customer.reserve(hold, at: Self.now).isGranted)
        #expect(lend(&customer, 0)?.amount == 60)
        #expect(lend(&customer, 1)?.amount == 56)
        #expect(lend(&customer, 2, 10)?.amount == 10)
        #expect(customer.account.meter("a")?.lent == 126)
    }

    @Test("The largest numbers there are stay numbers")
    func huge() throws {
        var customer = Customer(standing: try Standing(json: #"{"b_per_day":1}"#))
        for number in 0..<64 {
            #expect(lend(&customer, number, .max)?.amount == 1_000_000_000)
        }
        var other = Customer(standing: customer.standing)
        let isReadable = other.adopt(customer.shared())
        #expect(isReadable && other == customer)
        #expect(customer.shared()[1] == 1)
    }

    @Test("Asked again under its id, it is the same block")
    func again() throws {
        var customer = Customer(standing: try Standing(json: #"{"a_per_month":1600}"#))
        let block = try #require(lend(&customer))
        let once = customer
        #expect(lend(&customer) == block)
        #expect(customer == once)
    }

    @Test("Nothing is lent where nothing may be granted, or nobody would count it")
    func none() throws {
        var nobody = Customer(standing: nil)
        #expect(lend(&nobody) == nil)
        var late = Customer(standing: try Standing(json: "{}", expiresAt: Self.now))
        #expect(lend(&late) == nil)
        var customer = Customer(standing: try Standing(json: "{}"))
        #expect(lend(&customer, 0, 7) == nil)
        #expect(
            customer.lend(8, of: "a", key: nil, id: ids[0], at: Self.now, until: Self.now) == nil)
        for number in 0..<Demand.metricsMax {
            #expect(customer.admit(Demand(metric: "m\(number)"), at: Self.now).isGranted)
        }
        #expect(lend(&customer) == nil)
        #expect(customer.account.meters.count == Demand.metricsMax)
    }

    @Test("There are 64 at most; what has expired makes room")
    func table() throws {
        var customer = Customer(standing: try Standing(json: "{}"))
        for number in 0..<64 {
            #expect(lend(&customer, number) != nil)
        }
        let soon = Self.now + .milliseconds(2999)
        #expect(lend(&customer, 64, at: soon) == nil)
        #expect(lend(&customer, 64, at: soon + .milliseconds(1)) != nil)
        #expect(customer.blocks.map(\.id) == [ids[64]])
        #expect(customer.used("a", .day, at: Self.now) == 64_000)
    }

    @Test("For a second after a recall nobody takes a block; a clock set back makes it no longer")
    func recall() throws {
        var customer = Customer(standing: try Standing(json: "{}"))
        customer.recall(at: Self.now)
        #expect(lend(&customer, at: Self.now + .milliseconds(999)) == nil)
        #expect(lend(&customer, at: Self.now + .milliseconds(1000)) != nil)
        customer.recall(at: Self.now + .milliseconds(1000))
        let back = Self.now - .seconds(600)
        #expect(lend(&customer, 1, at: back) == nil)
        #expect(lend(&customer, 1, at: back + .milliseconds(999)) == nil)
        #expect(lend(&customer, 1, at: back + .milliseconds(1000)) != nil)
    }

    // MARK: What lent units do

    @Test("Lent units are taken for every other demand of a quota, and shown by none")
    func quota() throws {
        var customer = Customer(standing: try Standing(json: #"{"a_per_day":160}"#))
        var review = Review()
        #expect(lend(&customer)?.amount == 10)
        let most = Demand(metric: "a", cost: 150)
        #expect(customer.admit(most, at: Self.now, &review).isGranted)
        #expect(review.states.map(\.used) == [150] && review.states.map(\.remaining) == [10])
        let one = Demand(metric: "a")
        let refusal = try customer.admit(one, at: Self.now, &review).refusal()
        #expect(refusal.state.used == 150 && refusal.canEverPass)
        #expect(refusal.retryAt == Window.day.end(of: Window.day.index(of: Self.now)))
        #expect(review.states.map(\.used) == [150] && review.states.map(\.remaining) == [10])
        #expect(customer.report(at: Self.now).metrics.map(\.used) == [150])
        #expect(customer.report(at: Self.now).metrics.map(\.remaining) == [10])

        let rest = Demand(metric: "a", cost: 6)
        #expect(settle(&customer, 0, 4))
        #expect(customer.admit(rest, at: Self.now).isGranted)
        #expect(customer.used("a", .day, at: Self.now) == 160)
        #expect(!customer.admit(one, at: Self.now).isGranted)
    }

    @Test("In a rate's bucket they stay until they are settled, and drain from then on")
    func rate() throws {
        let limits = #"{"a_per_second":16,"a_burst":160}"#
        var customer = Customer(standing: try Standing(json: limits))
        var review = Review()
        #expect(lend(&customer)?.amount == 10)
        #expect(customer.admit(Demand(metric: "a", cost: 150), at: Self.now, &review).isGranted)
        #expect(review.states.map(\.remaining) == [10])
        let one = Demand(metric: "a")
        let refusal = try customer.admit(one, at: Self.now).refusal()
        #expect(refusal.retryAt == Self.now + .milliseconds(63) && refusal.canEverPass)
        // It passes once nothing is lent.
        let most = Demand(metric: "a", cost: 155)
        #expect(try customer.admit(most, at: Self.now).refusal().canEverPass)

        let later = Self.now + .seconds(20)
        #expect(!customer.admit(Demand(metric: "a", cost: 151), at: later).isGranted)
        #expect(settle(&customer, 0, 10, at: later))
        let rule = try #require(customer.standing?.rules.rules(for: "a")?.second)
        let bucket = try #require(customer.account.meter("a")?.second)
        #expect(bucket.remaining(under: rule, at: later) == 150)
        #expect(bucket.remaining(under: rule, at: later + .milliseconds(625)) == 160)
    }

    // MARK: How it ends

    @Test("Settled twice is settled once; of what is not there nothing is counted")
    func twice() throws {
        var customer = Customer(standing: try Standing(json: #"{"a_per_day":160}"#))
        _ = lend(&customer)
        #expect(settle(&customer, 0, 4))
        let once = customer
        #expect(!settle(&customer, 0, 4))
        #expect(!settle(&customer, 1, 4))
        #expect(customer == once)
        #expect(customer.used("a", .day, at: Self.now) == 4)
    }

    @Test("Of a block that has expired all was spent, whatever is heard of it later")
    func expired() throws {
        let limits = #"{"a_per_day":160,"a_per_second":16,"a_burst":160}"#
        var customer = Customer(standing: try Standing(json: limits))
        _ = lend(&customer)
        let end = Self.now + .seconds(3)
        #expect(!ended(&customer, at: end - .milliseconds(1)))
        // Time alone ends none.
        customer.advance(to: end)
        #expect(customer.account.meter("a")?.lent == 10)
        #expect(ended(&customer, at: end))
        #expect(customer.account.meter("a")?.lent == 0)
        #expect(!settle(&customer, 0, 1, at: end))
        #expect(customer.used("a", .day, at: end) == 10)
        let rule = try #require(customer.standing?.rules.rules(for: "a")?.second)
        #expect(customer.account.meter("a")?.second.remaining(under: rule, at: end) == 150)
        #expect(!ended(&customer, at: end))
    }

    @Test("Rates whose rules are not known are filled, and drain from then on")
    func unknownRules() throws {
        var customer = Customer(standing: try Standing(json: #"{"b_per_day":1}"#))
        let own = try rules(#"{"a_per_second":10,"a_burst":320}"#)
        let before = Self.now - .seconds(60)
        #expect(customer.admit(Demand(metric: "a", cost: 300), key: own, at: before).isGranted)
        #expect(lend(&customer, key: own)?.amount == 20)
        let end = Self.now + .seconds(3)
        #expect(ended(&customer, at: end))
        let meter = try #require(customer.keys[key]?.meter("a"))
        let rule = try #require(own.rules.rules(for: "a")?.second)
        // Of the minute before the block, all is drained.
        #expect(meter.second.remaining(under: rule, at: end) == 300)
        #expect(meter.second.remaining(under: rule, at: end + .seconds(1)) == 310)
        #expect(meter.minute == RateLimiter())
        #expect(customer.account.meter("a")?.second == RateLimiter())

        #expect(lend(&customer, 1, key: own, at: end) != nil)
        customer.standing = nil
        #expect(settle(&customer, 1, 5, at: end))
        #expect(customer.keys[key]?.meter("a")?.second.remaining(under: rule, at: end) == 295)
        #expect(customer.used("a", .day, at: end) == 325)
    }

    // MARK: Edges of windows

    @Test(
        "Over the end of a window, what was spent before it counts before it",
        arguments: ["2026-11-23T17:00:00Z", "2026-11-24T00:00:00Z", "2026-12-01T00:00:00Z"])
    func edges(text: String) throws {
        let edge = try #require(Timestamp(text))
        let windows = Window.allCases.filter { $0.start(of: $0.index(of: edge)) == edge }
        let limits = #"{"a_per_hour":160,"a_per_day":3200,"a_per_month":6400}"#
        var customer = Customer(standing: try Standing(json: limits))
        let (before, after) = (edge - .milliseconds(1), edge + .milliseconds(1))
        let block = try #require(lend(&customer, at: before))
        #expect(block.amount == 10)
        // The next hour cannot know yet that nothing of it will be spent there.
        #expect(!customer.admit(Demand(metric: "a", cost: 151), at: after).isGranted)
        #expect(customer.admit(Demand(metric: "a", cost: 150), at: after).isGranted)
        customer.settle(block.id, spent: 10, usedAt: before, key: nil, at: after)
        for window in Window.allCases {
            let used = windows.contains(window) ? Int64(150) : 160
            #expect(customer.used("a", window, at: after) == used)
        }
        #expect(customer.admit(Demand(metric: "a", cost: 10), at: after).isGranted)
    }

    @Test("A node that is in the next hour already counts there")
    func nextHour() throws {
        let edge = try #require(Timestamp("2026-12-01T00:00:00Z"))
        var customer = Customer(standing: try Standing(json: #"{"a_per_hour":160}"#))
        let block = try #require(lend(&customer, at: edge - .milliseconds(2)))
        customer.settle(
            block.id, spent: 10, usedAt: edge, key: nil, at: edge - .milliseconds(1))
        for window in Window.allCases { #expect(customer.used("a", window, at: edge) == 10) }
    }

    @Test("A clock that is set back neither counts twice nor in an hour that was left")
    func setBack() throws {
        let edge = try #require(Timestamp("2026-12-01T00:00:00Z"))
        var customer = Customer(standing: try Standing(json: #"{"a_per_hour":160}"#))
        let block = try #require(lend(&customer, at: edge))
        let back = edge - .seconds(3600)
        // What is asked for now counts in the hour that was begun, and a block could not say so.
        #expect(lend(&customer, 1, at: back) == nil)
        customer.settle(block.id, spent: 10, usedAt: back, key: nil, at: back)
        for window in Window.allCases { #expect(customer.used("a", window, at: edge) == 10) }
        #expect(lend(&customer, 1, at: back) == nil)
        #expect(lend(&customer, 1, at: edge)?.amount == 9)
    }

    // MARK: As bytes

    @Test("A state that has lent other than its blocks have is refused")
    func balance() throws {
        var lent = Customer(standing: try Standing(json: #"{"a_per_day":160}"#))
        _ = lend(&lent)
        var settled = lent
        #expect(settle(&settled, 0, 0))
        // Both end with their blocks; one has none.
        let (full, empty) = (lent.shared(), settled.shared())
        let head = empty.count - 2
        for (mixed, isWhole) in [
            (full[..<head] + full[head...], true), (empty[..<head] + empty[head...], true),
            (full[..<head] + empty[head...], false), (empty[..<head] + full[head...], false),
        ] {
            var customer = Customer(standing: nil)
            let isReadable = customer.adopt(Array(mixed))
            #expect(isReadable == isWhole)
        }
    }
}
