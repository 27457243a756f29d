import Domain
import Support
import Testing

@Suite("Customer, for any limits")
struct CustomerPropertyTests {
    private static let metrics = ["a", "b"]

    /// A customer under random limits, a key of its own, and a clock.
    private struct World {
        var random: SplitMix64
        var customer: Customer
        var key: Customer.KeyRules
        var now: Timestamp

        init(seed: UInt64, allowsOverage: Bool = false) throws {
            random = SplitMix64(seed: seed)
            now = Timestamp(milliseconds: random.int(1_700_000_000_000...1_900_000_000_000))
            let plan = try World.rules(&random, allowsOverage: allowsOverage)
            let own = try World.rules(&random, allowsOverage: false)
            customer = Customer(
                standing: Standing(planSlug: "p", rules: plan, expiresAt: nil))
            key = Customer.KeyRules(id: ID(at: now, using: &random), rules: own)
        }

        static func rules(_ random: inout SplitMix64, allowsOverage: Bool) throws -> Ruleset {
            var members: [JSON.Member] = []
            for metric in metrics {
                for window in ["hour", "day", "month"] where random.chance(60) {
                    let bound = JSON.integer(random.int(0...40))
                    let isOver = allowsOverage && random.chance(30)
                    let value =
                        isOver
                        ? JSON.object([.init("limit", bound), .init("overage", .string("allow"))])
                        : bound
                    members.append(JSON.Member("\(metric)_per_\(window)", value))
                }
                if random.chance(60) {
                    members.append(.init("\(metric)_per_second", .integer(random.int(1...9))))
                    members.append(.init("\(metric)_burst", .integer(random.int(0...20))))
                }
            }
            if random.chance(60) { members.append(.init("max_r", .integer(random.int(0...8)))) }
            return Ruleset(try Limits(json: .object(members)))
        }

        mutating func demand() -> Demand {
            Demand(
                metric: random.pick(metrics), cost: random.int(0...6),
                resource: random.chance(20) ? "r" : nil)
        }

        mutating func pickKey() -> Customer.KeyRules? { random.chance(50) ? key : nil }

        mutating func step() {
            now = now + .milliseconds(random.pick([0, 0, 1, 40, 700, 5000, 900_000, 7_200_000]))
        }
    }

    @Test(
        "A refused demand changes nothing but what time alone has changed",
        arguments: [UInt64](1...60))
    func refusalChangesNothing(seed: UInt64) throws {
        var world = try World(seed: seed, allowsOverage: true)
        for step in 0..<300 {
            world.step()
            if world.random.chance(5) { world.now = world.now - .seconds(4000) }
            var before = world.customer
            before.advance(to: world.now)
            let demand = world.demand()
            let decision = world.customer.admit(demand, key: world.pickKey(), at: world.now)
            guard case .refused = decision else { continue }
            #expect(world.customer == before, "seed \(seed), step \(step)")
        }
    }

    @Test("What was granted in a window never passes its bound by 1", arguments: [UInt64](1...60))
    func neverPastTheBound(seed: UInt64) throws {
        var world = try World(seed: seed)
        var granted: [String: Int64] = [:]
        for _ in 0..<400 {
            world.step()
            let demand = world.demand()
            let key = world.pickKey()
            let decision = world.customer.admit(demand, key: key, at: world.now)
            guard case .granted = decision else { continue }
            for (owner, rules) in [("plan", world.customer.standing?.rules), ("key", key?.rules)] {
                for rule in rules?.rules(for: demand.metric)?.quotas ?? [] {
                    let period = rule.window.period(rule.window.index(of: world.now))
                    let sum = granted["\(owner) \(rule.name) \(period)", default: 0] + demand.cost
                    granted["\(owner) \(rule.name) \(period)"] = sum
                    #expect(sum <= rule.bound || demand.cost == 0, "seed \(seed): \(rule.name)")
                }
            }
        }
    }

    @Test("A demand passes exactly when every limit has room for it", arguments: [UInt64](1...40))
    func grantsWhatFits(seed: UInt64) throws {
        var world = try World(seed: seed)
        for step in 0..<300 {
            world.step()
            let demand = world.demand()
            let key = world.pickKey()
            let fits = Self.fits(demand, key, world)
            let decision = world.customer.admit(demand, key: key, at: world.now)
            if decision.isGranted {
                #expect(fits, "seed \(seed), step \(step): granted")
            } else {
                #expect(!fits, "seed \(seed), step \(step): refused")
            }
        }
    }

    private static func fits(_ demand: Demand, _ key: Customer.KeyRules?, _ world: World) -> Bool {
        let plan = world.customer.standing?.rules ?? .none
        var pairs = [(plan, world.customer.account)]
        if let key { pairs.append((key.rules, world.customer.keys[key.id] ?? Ledger())) }
        for (rules, ledger) in pairs {
            let metric = rules.rules(for: demand.metric)
            for rule in metric?.quotas ?? [] {
                let used =
                    ledger.tally(demand.metric)?.counter(rule.window, at: world.now).used ?? 0
                if used + demand.cost > rule.bound { return false }
            }
            for rule in metric?.rates ?? []
            where rate(rule, of: metric, in: ledger)
                .wait(for: demand.cost, under: rule, at: world.now) != .zero
            {
                return false
            }
        }
        guard let resource = demand.resource, let bound = plan.stock(resource)?.bound else {
            return true
        }
        return (world.customer.stocks[resource] ?? 0) < bound
    }

    private static func rate(
        _ rule: RateRule, of metric: MetricRules?, in ledger: Ledger
    ) -> RateLimiter {
        let meter = metric.flatMap { ledger.meter($0.metric) }
        let period: Limit.RatePeriod = rule.period == 1000 ? .second : .minute
        return meter?[period] ?? RateLimiter()
    }

    @Test("The time to retry is exact where the demand can ever pass", arguments: [UInt64](1...60))
    func retryIsExact(seed: UInt64) throws {
        var world = try World(seed: seed)
        for step in 0..<300 {
            world.step()
            let demand = world.demand()
            let key = world.pickKey()
            guard
                case .refused(let refusal) = world.customer.admit(
                    demand, key: key, at: world.now),
                let retryAt = refusal.retryAt
            else { continue }
            let comment: Comment = "seed \(seed), step \(step): \(refusal)"
            #expect(retryAt > world.now, comment)
            let canEverPass = Self.canEverPass(demand, key, world)
            #expect(refusal.canEverPass == canEverPass, comment)
            guard canEverPass else { continue }
            var early = world.customer
            if case .granted = early.admit(demand, key: key, at: retryAt - .milliseconds(1)) {
                Issue.record(comment)
            }
            var then = world.customer
            guard case .granted = then.admit(demand, key: key, at: retryAt) else {
                Issue.record(comment)
                continue
            }
        }
    }

    private static func canEverPass(
        _ demand: Demand, _ key: Customer.KeyRules?, _ world: World
    ) -> Bool {
        [world.customer.standing?.rules, key?.rules].allSatisfy { rules in
            let metric = rules?.rules(for: demand.metric)
            return (metric?.quotas ?? []).allSatisfy { demand.cost <= $0.bound }
                && (metric?.rates ?? []).allSatisfy { demand.cost <= $0.burst }
        }
    }

    @Test(
        "A clock that steps back and forth never opens a quota twice", arguments: [UInt64](1...40))
    func clockSteps(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let rules = Ruleset(try Limits(json: .object([.init("a_per_hour", .integer(10))])))
        var customer = Customer(standing: Standing(planSlug: "p", rules: rules, expiresAt: nil))
        let start = Timestamp(milliseconds: 1_800_000_000_000)
        var latest: Int64 = 0
        var granted: [Int64: Int64] = [:]
        for _ in 0..<400 {
            let now = start + .seconds(random.int(0...40_000))
            latest = max(latest, Window.hour.index(of: now))
            if case .granted = customer.admit(Demand(metric: "a"), at: now) {
                let hour = max(latest, Window.hour.index(of: now))
                granted[hour, default: 0] += 1
            }
        }
        // A window that was left is never opened again, so each has had 10 at most.
        #expect(granted.values.allSatisfy { $0 <= 10 }, "seed \(seed): \(granted)")
    }

    @Test("Grants given back at once leave no trace in the counts", arguments: [UInt64](1...40))
    func giveBack(seed: UInt64) throws {
        var world = try World(seed: seed, allowsOverage: true)
        var review = Review()
        for step in 0..<200 {
            world.step()
            let demand = world.demand()
            let key = world.pickKey()
            let before = world.customer.report(at: world.now)
            let decision = world.customer.admit(demand, key: key, at: world.now, &review)
            guard decision.isGranted, world.random.chance(70) else { continue }
            let bookings = review.bookings
            world.customer.giveBack(demand, key: key, bookings, &review)
            #expect(world.customer.report(at: world.now) == before, "seed \(seed), step \(step)")
        }
    }
}
