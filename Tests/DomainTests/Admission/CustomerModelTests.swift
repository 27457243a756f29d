import Domain
import Support
import Testing

@Suite("Customer, beside a slow model of the same rules")
struct CustomerModelTests {
    private static let metrics = ["a", "b"]
    private static let resources = ["x", "y"]

    /// One history, lived through by both.
    private struct World {
        var random: SplitMix64
        var now: Timestamp
        var customer: Customer
        var model: ReferenceCustomer
        var review = Review()
        let user: UserID
        var keys: [ReferenceCustomer.Key] = []
        var reservations: [Reservation] = []
        var leases: [Lease] = []
        var tokens: Int64 = 0
        /// What the caller's journal would hold, by slot and hour.
        var journal: [String: Int64] = [:]

        init(seed: UInt64) throws {
            random = SplitMix64(seed: seed)
            // Most histories begin shortly before a month ends, leap years among them.
            let end = random.pick([
                "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z", "2028-02-29T00:00:00Z",
                "2028-03-01T00:00:00Z", "2027-03-01T00:00:00Z", "2026-11-23T16:30:00Z",
            ])
            now = try #require(Timestamp(end)) - .seconds(random.int(0...7200))
            let plan = try Self.limits(&random)
            customer = Customer(
                standing: Standing(planSlug: "p", rules: Ruleset(plan), expiresAt: nil))
            model = ReferenceCustomer(plan: plan)
            user = ID(at: now, using: &random)
            for _ in 0..<2 {
                keys.append((ID(at: now, using: &random), try Self.limits(&random)))
            }
        }

        static func limits(_ random: inout SplitMix64) throws -> Limits {
            var members: [JSON.Member] = []
            for metric in metrics {
                for window in ["hour", "day", "month"] where random.chance(45) {
                    let bound = JSON.integer(random.int(0...60))
                    let value =
                        random.chance(15)
                        ? JSON.object([.init("limit", bound), .init("overage", .string("allow"))])
                        : bound
                    members.append(JSON.Member("\(metric)_per_\(window)", value))
                }
                if random.chance(40) {
                    members.append(.init("\(metric)_per_second", .integer(random.int(1...9))))
                    members.append(.init("\(metric)_burst", .integer(random.int(0...30))))
                }
                if random.chance(30) {
                    members.append(.init("\(metric)_per_minute", .integer(random.int(1...60))))
                }
            }
            for resource in resources where random.chance(60) {
                members.append(.init("concurrent_\(resource)", .integer(random.int(0...3))))
            }
            if random.chance(50) { members.append(.init("max_r", .integer(random.int(0...20)))) }
            return try Limits(json: .object(members))
        }

        mutating func pickKey() -> ReferenceCustomer.Key? {
            random.chance(50) ? random.pick(keys) : nil
        }

        func rules(_ key: ReferenceCustomer.Key?) -> Customer.KeyRules? {
            key.map { Customer.KeyRules(id: $0.id, rules: Ruleset($0.limits)) }
        }

        mutating func end() -> Timestamp {
            now + .seconds(random.pick([1, 5, 60, 600, 3600]))
        }
    }

    @Test(
        "They agree on every decision, count and hour of a random history",
        arguments: [UInt64](1...40))
    func agrees(seed: UInt64) throws {
        var world = try World(seed: seed)
        for step in 0..<300 {
            let comment: Comment = "seed \(seed), step \(step)"
            world.now = world.now + .milliseconds(world.random.turn())
            if world.random.chance(3) { try changePlan(&world) }
            switch world.random.int(0...9) {
            case 0...2: admit(&world, comment)
            case 3, 4: reserve(&world, comment)
            case 5, 6: commit(&world, comment)
            case 7: releaseReservation(&world, comment)
            case 8: lease(&world, comment)
            default: renewOrRelease(&world, comment)
            }
            compareCounts(&world, comment)
        }
        compareJournal(world, "seed \(seed)")
    }

    private func changePlan(_ world: inout World) throws {
        let plan = try World.limits(&world.random)
        world.model.plan = plan
        world.customer.standing = Standing(
            planSlug: "p", rules: Ruleset(plan), expiresAt: nil)
    }

    private func admit(_ world: inout World, _ comment: Comment) {
        let key = world.pickKey()
        let rules = world.rules(key)
        let demand = Demand(
            metric: world.random.pick(Self.metrics), cost: world.random.int(0...9),
            resource: world.random.chance(10) ? "r" : nil)
        let passes = world.model.admit(demand, key, at: world.now)
        ask(&world, comment, passes) { customer, now, review in
            customer.admit(demand, key: rules, at: now, &review)
        }
    }

    private func reserve(_ world: inout World, _ comment: Comment) {
        let key = world.pickKey()
        let rules = world.rules(key)
        let hold = Reservation(
            id: ID(at: world.now, using: &world.random), userID: world.user, keyID: key?.id,
            metric: world.random.pick(Self.metrics), amount: world.random.int(0...15),
            createdAt: world.now, expiresAt: world.end())
        let passes = world.model.reserve(hold, key, at: world.now)
        if passes { world.reservations.append(hold) }
        ask(&world, comment, passes) { customer, now, review in
            customer.reserve(hold, key: rules, at: now, &review)
        }
    }

    private func commit(_ world: inout World, _ comment: Comment) {
        guard !world.reservations.isEmpty else { return }
        let key = world.pickKey()
        let rules = world.rules(key)
        let hold = world.random.pick(Array(world.reservations.suffix(6)))
        let amount = world.random.int(0...2 * hold.amount + 6)
        let passes = world.model.commit(hold.id, amount, key, at: world.now)
        ask(&world, comment, passes) { customer, now, review in
            customer.commit(hold.id, amount, key: rules, at: now, &review)
        }
    }

    private func releaseReservation(_ world: inout World, _ comment: Comment) {
        guard !world.reservations.isEmpty else { return }
        let hold = world.random.pick(Array(world.reservations.suffix(6)))
        let expected = world.model.release(hold.id, at: world.now)
        #expect(world.customer.release(hold.id, at: world.now) == expected, comment)
    }

    private func lease(_ world: inout World, _ comment: Comment) {
        let key = world.pickKey()
        let rules = world.rules(key)
        world.tokens += 1
        let lease = Lease(
            id: ID(at: world.now, using: &world.random), userID: world.user, keyID: key?.id,
            resource: world.random.pick(Self.resources), fencingToken: world.tokens,
            createdAt: world.now, expiresAt: world.end())
        let passes = world.model.lease(lease, key, at: world.now)
        if passes { world.leases.append(lease) }
        ask(&world, comment, passes) { customer, now, review in
            customer.lease(lease, key: rules, at: now, &review)
        }
    }

    private func renewOrRelease(_ world: inout World, _ comment: Comment) {
        guard !world.leases.isEmpty else { return }
        let lease = world.random.pick(Array(world.leases.suffix(6)))
        let token = lease.fencingToken
        if world.random.chance(50) {
            let end = world.end()
            let expected = world.model.renew(lease.id, until: end, at: world.now)
            let renewed = world.customer.renew(
                lease.id, fencingToken: token, until: end, at: world.now)
            #expect((renewed != nil) == expected, comment)
            #expect(renewed == nil || renewed?.expiresAt == end, comment)
        } else {
            let expected = world.model.release(lease.id, at: world.now)
            let released = world.customer.release(lease.id, fencingToken: token, at: world.now)
            #expect(released == expected, comment)
        }
    }

    /// Asks, compares the answer (nil: lost), and tries a refusal again at the time it names.
    private func ask(
        _ world: inout World, _ comment: Comment, _ passes: Bool?,
        _ request: (inout Customer, Timestamp, inout Review) -> Decision
    ) {
        var before = world.customer
        before.advance(to: world.now)
        let decision = request(&world.customer, world.now, &world.review)
        switch decision {
        case .granted: #expect(passes == true, comment)
        case .lost: #expect(passes == nil, comment)
        case .refused(let refusal):
            #expect(passes == false, comment)
            #expect(world.customer == before, comment)
            expectExact(refusal, world, comment, request)
        case .unsubscribed, .stale, .tooManyMetrics, .tooManyLive:
            Issue.record("\(decision), \(comment)")
        }
        if !decision.isGranted { #expect(world.review.bookings.isEmpty, comment) }
        for booking in world.review.bookings {
            world.journal[
                Self.name(booking.owner, booking.metric, booking.hourIndex), default: 0] +=
                booking.cost
        }
    }

    private func expectExact(
        _ refusal: Refusal, _ world: World, _ comment: Comment,
        _ request: (inout Customer, Timestamp, inout Review) -> Decision
    ) {
        guard let retryAt = refusal.retryAt else { return }
        #expect(retryAt > world.now, comment)
        var review = Review()
        var early = world.customer
        #expect(!request(&early, retryAt - .milliseconds(1), &review).isGranted, comment)
        var then = world.customer
        let decision = request(&then, retryAt, &review)
        #expect(decision.isGranted == refusal.canEverPass, "\(comment): \(refusal), \(decision)")
    }

    private func compareCounts(_ world: inout World, _ comment: Comment) {
        world.model.advance(to: world.now)
        let report = world.customer.report(at: world.now)
        for metric in report.metrics {
            let slot = ReferenceCustomer.Slot(owner: nil, metric: metric.metric)
            let expected =
                world.model.used(slot, metric.window, at: world.now) + world.model.held(slot)
            #expect(metric.used == expected, "\(comment): \(metric)")
        }
        for resource in Self.resources {
            let expected = world.model.leases.count { $0.resource == resource }
            let shown = report.concurrency.first { $0.resource == resource }?.count ?? 0
            #expect(shown == expected, comment)
            #expect(world.customer.inUse(resource, at: world.now) == expected, comment)
        }
        #expect(world.customer.stocks["r"] ?? 0 == world.model.things["r"] ?? 0, comment)
    }

    private func compareJournal(_ world: World, _ comment: Comment) {
        var expected: [String: Int64] = [:]
        for use in world.model.uses {
            let hour = Window.hour.index(of: use.moment)
            expected[Self.name(use.slot.owner, use.slot.metric, hour), default: 0] += use.cost
        }
        #expect(world.journal == expected, comment)
    }

    private static func name(_ owner: APIKeyID?, _ metric: String, _ hour: Int64) -> String {
        "\(owner?.description ?? "account") \(metric) \(hour)"
    }
}
