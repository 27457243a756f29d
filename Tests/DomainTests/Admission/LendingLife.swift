import Domain
import Support
import Testing

/// A life of one customer whom several nodes share: they take blocks, spend from them at times of
/// their own, settle them or are not heard of again, beside plain demands and reservations.
struct LendingLife {
    enum Clock: CaseIterable {
        /// Every decision is of the moment in which it is made.
        case exact
        /// Decisions are made some time after their moment, and so not in the order of moments.
        case late
        /// The clock is set, now and then.
        case stepping
    }

    /// A block on the node that took it.
    private struct Holding {
        let block: Block
        let key: Customer.KeyRules?
        /// The node's own end of it, by the time that has gone by.
        let end: Int64
        var spent: Int64 = 0
        var lastUse: Timestamp
    }

    typealias Slot = RealGrants.Slot

    private var random: SplitMix64
    private let clock: Clock
    /// Every block is settled while it lives.
    private let isPrompt: Bool
    private let name: String
    private(set) var now: Timestamp
    private var uptime: Int64 = 0
    private(set) var customer: Customer
    private let keys: [Customer.KeyRules]
    private(set) var real: RealGrants
    private var holdings: [Holding] = []
    private var reservations: [(Reservation, Customer.KeyRules?)] = []
    private var recalledUntil = Timestamp.epoch
    private(set) var seen = Seen()
    /// What is wrong once stays so: the life ends there.
    private var isSound = true

    /// How often things came to pass, so that no test passes by for want of them.
    struct Seen {
        var lent = 0
        var spent = 0
        var settled = 0
        var expired = 0
        var refused = 0
    }

    private static let metrics = ["a", "b"]
    private static let ends = [
        "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z", "2028-03-01T00:00:00Z",
        "2027-03-01T00:00:00Z", "2026-11-23T00:00:00Z", "2026-11-23T16:00:00Z",
    ]

    init(seed: UInt64, _ clock: Clock, isPrompt: Bool = false) throws {
        random = SplitMix64(seed: seed)
        self.clock = clock
        self.isPrompt = isPrompt
        name = "seed \(seed), \(clock)"
        now = try #require(Timestamp(random.pick(Self.ends))) - .seconds(random.int(1...90))
        let plan = try Self.rules(&random)
        var keys: [Customer.KeyRules] = []
        for _ in 0..<2 {
            keys.append(
                Customer.KeyRules(id: ID(at: now, using: &random), rules: try Self.rules(&random)))
        }
        self.keys = keys
        customer = Customer(standing: Standing(planSlug: "p", rules: plan, expiresAt: nil))
        real = RealGrants(plan: plan, keys: keys)
    }

    private static func rules(_ random: inout SplitMix64) throws -> Ruleset {
        var members: [JSON.Member] = []
        for metric in metrics {
            for (window, most) in [("hour", Int64(4000)), ("day", 8000), ("month", 12_000)]
            where random.chance(50) {
                let bound = JSON.integer(random.int(200...most))
                let overage = [JSON.Member("limit", bound), .init("overage", .string("allow"))]
                members.append(
                    .init("\(metric)_per_\(window)", random.chance(10) ? .object(overage) : bound))
            }
            if random.chance(50) {
                members.append(.init("\(metric)_per_second", .integer(random.int(5...200))))
                members.append(.init("\(metric)_burst", .integer(random.int(100...1500))))
            }
            if random.chance(40) {
                members.append(.init("\(metric)_per_minute", .integer(random.int(100...3000))))
            }
        }
        return Ruleset(try Limits(json: .object(members)))
    }

    // MARK: Time

    private func comment(_ what: String = "") -> Comment { "\(name), at \(uptime) ms: \(what)" }

    /// The moment that a decision of now is made for.
    private mutating func reading() -> Timestamp {
        guard clock == .late else { return now }
        return now - .milliseconds(random.pick([0, 0, 5, 40, 300, 999]))
    }

    private mutating func turn() {
        var span = random.pick([Int64(0), 0, 1, 3, 20, 60, 200, 400, 1500])
        if random.chance(4) { span = random.pick([20_000, 90_000, 3_600_000]) }
        if clock == .stepping, random.chance(8) {
            span = -random.pick([1, 400, 1000, 1001, 60_000, 4_000_000])
        }
        if isPrompt {
            for holding in holdings where now + .milliseconds(span) >= holding.block.expiresAt {
                settle(holding)
            }
        }
        now = now + .milliseconds(span)
        uptime += max(0, span)
    }

    // MARK: What comes to pass

    mutating func step() {
        guard isSound else { return }
        turn()
        switch random.int(0...20) {
        case 0...5: admit()
        case 6: reserve()
        case 7: commit()
        case 8...11: lend()
        case 12...16: spend()
        case 17, 18: if let holding = pickHolding() { settle(holding) }
        case 19: endBlocks()
        default: random.chance(30) ? recall() : lose()
        }
        check()
        handOn()
    }

    mutating func settleAll() {
        for holding in holdings { settle(holding) }
        check()
    }

    private mutating func pickKey() -> Customer.KeyRules? {
        random.chance(50) ? random.pick(keys) : nil
    }

    private func slots(_ metric: String, _ key: APIKeyID?) -> [Slot] {
        let account = Slot(owner: nil, metric: metric)
        return key.map { [account, Slot(owner: $0, metric: metric)] } ?? [account]
    }

    private mutating func admit() {
        let key = pickKey()
        let (metric, moment) = (random.pick(Self.metrics), reading())
        let isLast = random.chance(5)
        let cost = isLast ? most(metric, key, at: moment) : random.int(0...30)
        let demand = Demand(metric: metric, cost: cost)
        guard customer.admit(demand, key: key, at: moment).isGranted else {
            seen.refused += 1
            return
        }
        use(demand.cost, demand.metric, key?.id, at: moment)
        pour(demand.cost, demand.metric, key?.id)
    }

    /// All that is left for a demand; little where that has no end.
    private func most(_ metric: String, _ key: Customer.KeyRules?, at now: Timestamp) -> Int64 {
        let most = customer.most(of: metric, key: key, at: now)
        return most < Demand.costMax ? most : 1
    }

    private mutating func use(
        _ cost: Int64, _ metric: String, _ key: APIKeyID?, at now: Timestamp
    ) {
        guard cost > 0 else { return }
        for slot in slots(metric, key) {
            let moment = real.touch(slot, at: now)
            let passed = real.grant(cost, slot, in: moment)
            #expect(passed.isEmpty, comment("\(passed)"))
            real.count(cost, slot, in: moment)
        }
    }

    private mutating func pour(_ cost: Int64, _ metric: String, _ key: APIKeyID?) {
        for slot in slots(metric, key) {
            let over = real.pour(cost, slot, at: uptime)
            // What is late was let in before its time was here; that is so without blocks too.
            #expect(over.isEmpty || clock == .late, comment("\(over)"))
        }
    }

    private mutating func reserve() {
        let (key, moment) = (pickKey(), reading())
        let reservation = Reservation(
            id: ID(at: now, using: &random), userID: ID(high: 1, low: 1), keyID: key?.id,
            metric: random.pick(Self.metrics), amount: random.int(0...60), createdAt: moment,
            expiresAt: moment + .seconds(random.pick([1, 5, 600])))
        guard customer.reserve(reservation, key: key, at: moment).isGranted else { return }
        for slot in slots(reservation.metric, key?.id) { real.touch(slot, at: moment) }
        pour(reservation.amount, reservation.metric, key?.id)
        reservations.append((reservation, key))
    }

    private mutating func commit() {
        guard let (reservation, key) = reservations.popLast() else { return }
        let (amount, moment) = (random.int(0...(reservation.amount + 20)), reading())
        guard customer.commit(reservation.id, amount, key: key, at: moment).isGranted else {
            return
        }
        use(amount, reservation.metric, key?.id, at: moment)
        pour(max(0, amount - reservation.amount), reservation.metric, key?.id)
    }

    // MARK: Blocks

    private mutating func lend() {
        let (metric, key, moment) = (random.pick(Self.metrics), pickKey(), reading())
        let (id, wanted) = (BlockID(at: now, using: &random), random.int(6...120))
        let end = moment + .milliseconds(random.pick([1000, 3000, 20_000]))
        var open = customer
        open.endBlocks(at: moment)
        let block = ending(at: moment) { customer in
            customer.lend(wanted, of: metric, key: key, id: id, at: moment, until: end)
        }
        guard let block else {
            let isAhead = slots(metric, key?.id).contains { real.isAhead($0, of: moment) }
            guard wanted >= 8, moment >= recalledUntil, !isAhead, open.blocks.count < 64 else {
                return
            }
            let most = Demand(metric: metric, cost: 8 * 16)
            #expect(!open.admit(most, key: key, at: moment).isGranted, comment("none lent"))
            return
        }
        seen.lent += 1
        // A 16th of what a demand could be granted.
        var full = open
        let part = Demand(metric: metric, cost: 16 * block.amount)
        #expect(open.admit(part, key: key, at: moment).isGranted, comment("\(block)"))
        let more = Demand(metric: metric, cost: 16 * block.amount + 16)
        let isWhole = block.amount == wanted
        #expect(
            isWhole || !full.admit(more, key: key, at: moment).isGranted, comment("\(block)"))
        #expect(block.amount >= 8 && block.amount <= wanted)
        for slot in slots(metric, key?.id) { real.touch(slot, at: moment) }
        let left = (end - now).wholeMilliseconds
        holdings.append(
            Holding(block: block, key: key, end: uptime + left, lastUse: block.createdAt))
    }

    private mutating func pickHolding() -> Holding? {
        holdings.isEmpty ? nil : random.pick(holdings)
    }

    /// A node grants from its block, and asks nobody.
    private mutating func spend() {
        let hour = Window.hour.index(of: now)
        guard var holding = pickHolding(), uptime < holding.end,
            hour <= Window.hour.index(of: holding.block.createdAt)
        else { return }
        let left = holding.block.amount - holding.spent
        let cost = random.chance(30) ? left : min(left, random.int(1...30))
        let (block, moment) = (holding.block, holding.block.createdAt)
        for slot in slots(block.metric, block.keyID) {
            let passed = real.grant(cost, slot, in: moment)
            #expect(passed.isEmpty, comment("\(passed)"))
        }
        pour(cost, block.metric, block.keyID)
        holding.spent += cost
        holding.lastUse = now
        holdings.removeAll { $0.block.id == block.id }
        holdings.append(holding)
        seen.spent += 1
    }

    private mutating func settle(_ holding: Holding) {
        holdings.removeAll { $0.block.id == holding.block.id }
        let (block, moment) = (holding.block, reading())
        // A key may have lost its limits meanwhile.
        let key = random.chance(80) ? holding.key : nil
        let isThere = customer.blocks.contains { $0.id == block.id }
        let isSettled = customer.settle(
            block.id, spent: holding.spent, usedAt: holding.lastUse, key: key, at: moment)
        #expect(isSettled == isThere, comment("\(block)"))
        if isSettled {
            seen.settled += 1
            count(block, holding.spent, at: moment)
        }
        let once = customer
        let twice = customer.settle(
            block.id, spent: block.amount, usedAt: moment, key: key, at: moment)
        #expect(!twice && customer == once, comment("\(block)"))
    }

    private mutating func count(_ block: Block, _ units: Int64, at now: Timestamp) {
        guard units > 0 else { return }
        for slot in slots(block.metric, block.keyID) {
            real.touch(slot, at: now)
            real.count(units, slot, in: block.createdAt)
        }
    }

    private mutating func endBlocks() {
        let (moment, count) = (reading(), customer.blocks.count)
        let hasEnded = ending(at: moment) { $0.endBlocks(at: moment) }
        #expect(hasEnded == (customer.blocks.count < count), comment())
    }

    /// What may end blocks that have expired: then they count whole.
    private mutating func ending<Value>(
        at moment: Timestamp, _ body: (inout Customer) -> Value
    ) -> Value {
        let before = customer.blocks
        let value = body(&customer)
        for block in before where !customer.blocks.contains(where: { $0.id == block.id }) {
            #expect(now >= block.expiresAt, comment("\(block)"))
            seen.expired += 1
            count(block, block.amount, at: moment)
        }
        return value
    }

    private mutating func recall() {
        let moment = reading()
        customer.recall(at: moment)
        recalledUntil = max(recalledUntil, moment + .seconds(1))
    }

    /// A node dies, with what it has spent.
    private mutating func lose() {
        guard !isPrompt, let holding = pickHolding() else { return }
        holdings.removeAll { $0.block.id == holding.block.id }
    }

    // MARK: What has to be so

    private mutating func check() {
        for metric in Self.metrics {
            check(customer.account, Slot(owner: nil, metric: metric))
            for key in keys {
                check(customer.keys[key.id] ?? Ledger(), Slot(owner: key.id, metric: metric))
            }
        }
    }

    private mutating func check(_ ledger: Ledger, _ slot: Slot) {
        guard let meter = ledger.meter(slot.metric) else { return }
        let blocks = customer.blocks.filter {
            $0.metric == slot.metric && (slot.owner == nil || slot.owner == $0.keyID)
        }
        let lent = blocks.reduce(0) { $0 + $1.amount }
        let isShown = Window.allCases.allSatisfy { window in
            let counter = meter.tally.counter(window, at: now)
            return counter.used == real.used(slot, counter, window)
        }
        let isTaken = real.rates(of: slot).allSatisfy { rule in
            let rate = meter[rule.period == 1000 ? .second : .minute]
            let taken = rate.backlog(under: rule, at: now) + Int128(lent * rule.period)
            return clock == .late || taken >= real.level(slot, rule, at: uptime)
        }
        isSound = isSound && meter.lent == lent && isShown && isTaken
        #expect(isSound, comment("\(slot): \(meter)"))
    }

    /// Every step is another node's.
    private mutating func handOn() {
        let (bytes, standing) = (customer.shared(), customer.standing)
        var next = Customer(standing: standing)
        let isReadable = next.adopt(bytes)
        #expect(isReadable && next.shared() == bytes, comment())
        customer = next
    }
}
