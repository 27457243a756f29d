import Domain

/// A random life of one customer under random limits: what is asked of them, and when. The same
/// seed is the same life, as long as it is told of the same answers.
package struct CustomerHistory {
    package enum Event: Sendable {
        case admit(Demand, Customer.KeyRules?)
        /// Of an admission that was granted.
        case giveBack(Demand, Customer.KeyRules?, [Booking])
        case reserve(Reservation, Customer.KeyRules?)
        case commit(ReservationID, Int64, Customer.KeyRules?)
        case release(ReservationID)
        case lease(Lease, Customer.KeyRules?)
        case renew(Lease, until: Timestamp)
        case endLease(Lease)
        /// A usage event.
        case add(Int64, metric: String, usedAt: Timestamp)
        case remove(resource: String)
        case lend(Int64, metric: String, Customer.KeyRules?, BlockID, until: Timestamp)
        case settle(Block, spent: Int64, usedAt: Timestamp, Customer.KeyRules?)
        case endBlocks
        case recall
    }

    package enum Answer: Equatable, Sendable {
        case decision(Decision)
        case done(Bool)
        case lent(Block?)
    }

    /// How large numbers are.
    package enum Size: Sendable, CaseIterable {
        /// So that every limit is met often.
        case small
        /// So that blocks are lent, and what is lent is often the last that there is.
        case middle
        /// Up to what a limit can be.
        case huge
    }

    package var random: SplitMix64
    package private(set) var now: Timestamp
    package let user: UserID
    /// May change with an event.
    package private(set) var standing: Standing
    private let size: Size
    package let keys: [Customer.KeyRules]
    private var reservations: [Reservation] = []
    private var leases: [Lease] = []
    private var token: Int64 = 0
    private var grants: [Event] = []
    private var blocks: [Block] = []

    package static let metrics = ["a", "b", "c"]
    private static let resources = ["x", "y"]
    /// Histories begin shortly before a window ends, months of leap years among them.
    private static let ends = [
        "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z", "2028-02-29T00:00:00Z",
        "2028-03-01T00:00:00Z", "2027-03-01T00:00:00Z", "2026-11-23T16:30:00Z",
    ]

    package init(seed: UInt64, size: Size = .small) throws(Problem) {
        var random = SplitMix64(seed: seed)
        let end = Timestamp(random.pick(Self.ends)) ?? .epoch
        now = end - .seconds(random.int(0...7200))
        user = ID(at: now, using: &random)
        self.size = size
        standing = try Self.standing(size, &random)
        keys = [
            Customer.KeyRules(
                id: ID(at: now, using: &random), rules: try Self.rules(size, &random)),
            Customer.KeyRules(
                id: ID(at: now, using: &random), rules: try Self.rules(size, &random)),
        ]
        self.random = random
    }

    // MARK: Limits

    private static func standing(
        _ size: Size, _ random: inout SplitMix64
    ) throws(Problem) -> Standing {
        Standing(planSlug: "p", rules: try rules(size, &random), expiresAt: nil)
    }

    private static func rules(
        _ size: Size, _ random: inout SplitMix64
    ) throws(Problem) -> Ruleset {
        var members: [JSON.Member] = []
        // The last metric has no limit.
        for metric in metrics.dropLast() {
            for window in ["hour", "day", "month"] where random.chance(45) {
                let bound = JSON.integer(number(0...60, size, &random))
                let value =
                    random.chance(15)
                    ? JSON.object([.init("limit", bound), .init("overage", .string("allow"))])
                    : bound
                members.append(JSON.Member("\(metric)_per_\(window)", value))
            }
            if random.chance(40) {
                let bound = JSON.integer(number(0...9, size, &random))
                members.append(.init("\(metric)_per_second", bound))
                let burst = JSON.integer(number(0...30, size, &random))
                members.append(.init("\(metric)_burst", burst))
            }
            if random.chance(30) {
                let bound = JSON.integer(number(0...60, size, &random))
                members.append(.init("\(metric)_per_minute", bound))
            }
        }
        for resource in resources where random.chance(60) {
            members.append(.init("concurrent_\(resource)", .integer(random.int(0...3))))
            members.append(.init("max_\(resource)", .integer(random.int(0...20))))
        }
        return Ruleset(try Limits(json: .object(members)))
    }

    private static func number(
        _ small: ClosedRange<Int64>, _ size: Size, _ random: inout SplitMix64
    ) -> Int64 {
        switch size {
        case .small: random.int(small)
        case .middle: random.int(4 * small.upperBound...12 * small.upperBound)
        // Any magnitude is as likely as any other.
        case .huge: min(JSON.integerMax, random.int(0...2) + (1 << random.int(0...53)))
        }
    }

    // MARK: Events

    /// The clock moves on, or steps back, and something is asked.
    package mutating func next() throws(Problem) -> Event {
        now = now + .milliseconds(random.turn())
        if random.chance(3) { standing = try Self.standing(size, &random) }
        switch random.int(0...size.eventMax) {
        case 0...9: return admission()
        case 10, 11: return reservation()
        case 12, 13: return commit()
        case 14: return reservations.isEmpty ? admission() : .release(recent(reservations).id)
        case 15, 16: return lease()
        case 17: return leases.isEmpty ? lease() : leaseChange()
        case 18: return grants.isEmpty ? admission() : grants.removeLast()
        case 19: return usage()
        case 20...23: return loan()
        case 24, 25: return settlement()
        default: return random.chance(70) ? .endBlocks : .recall
        }
    }

    /// What was granted can be given back, committed and released later.
    package mutating func note(_ event: Event, _ answer: Answer, _ bookings: [Booking]) {
        if case .lent(let block?) = answer { blocks.append(block) }
        guard answer == .decision(.granted) else { return }
        switch event {
        case .admit(let demand, let key): grants = [.giveBack(demand, key, bookings)]
        case .reserve(let reservation, _): reservations.append(reservation)
        case .lease(let lease, _): leases.append(lease)
        case .giveBack, .commit, .release, .renew, .endLease, .add, .remove: break
        case .lend, .settle, .endBlocks, .recall: break
        }
    }

    private mutating func admission() -> Event {
        let cost = Self.number(0...9, random.chance(80) ? .small : size, &random)
        let demand = Demand(
            metric: random.pick(Self.metrics), cost: min(cost, Demand.costMax),
            resource: random.chance(15) ? random.pick(Self.resources) : nil)
        return .admit(demand, pickKey())
    }

    private mutating func reservation() -> Event {
        let key = pickKey()
        let reservation = Reservation(
            id: ID(at: now, using: &random), userID: user, keyID: key?.id,
            metric: random.pick(Self.metrics), amount: Self.number(0...15, size, &random),
            createdAt: now, expiresAt: end())
        return .reserve(reservation, key)
    }

    private mutating func commit() -> Event {
        guard !reservations.isEmpty else { return admission() }
        let reservation = recent(reservations)
        let most = min(JSON.integerMax, 2 * reservation.amount + 6)
        return .commit(reservation.id, random.int(0...most), pickKey())
    }

    private mutating func lease() -> Event {
        let key = pickKey()
        token += 1
        let lease = Lease(
            id: ID(at: now, using: &random), userID: user, keyID: key?.id,
            resource: random.pick(Self.resources), fencingToken: token, createdAt: now,
            expiresAt: end())
        return .lease(lease, key)
    }

    private mutating func leaseChange() -> Event {
        let lease = recent(leases)
        return random.chance(50) ? .renew(lease, until: end()) : .endLease(lease)
    }

    private mutating func loan() -> Event {
        .lend(
            random.int(6...60), metric: random.pick(Self.metrics), pickKey(),
            ID(at: now, using: &random),
            until: now + .milliseconds(random.pick([300, 3000, 60_000, 3_600_000])))
    }

    /// Twice now and then, and too late.
    private mutating func settlement() -> Event {
        guard !blocks.isEmpty else { return loan() }
        let block = recent(blocks)
        let key = keys.first { $0.id == block.keyID }
        return .settle(
            block, spent: random.int(0...block.amount),
            usedAt: block.createdAt + .milliseconds(random.pick([0, 300, 3000])),
            random.chance(80) ? key : nil)
    }

    private mutating func usage() -> Event {
        guard random.chance(60) else { return .remove(resource: random.pick(Self.resources)) }
        let cost = Self.number(1...9, size, &random)
        return .add(
            cost, metric: random.pick(Self.metrics),
            usedAt: now - .seconds(random.pick([0, 60, 4000, 90_000])))
    }

    private mutating func pickKey() -> Customer.KeyRules? {
        random.chance(50) ? random.pick(keys) : nil
    }

    private mutating func end() -> Timestamp { now + .seconds(random.pick([1, 5, 60, 600, 3600])) }

    private mutating func recent<Element>(_ from: [Element]) -> Element {
        random.pick(Array(from.suffix(6)))
    }
}

extension CustomerHistory.Size {
    /// Limits of a few units are too small for blocks.
    fileprivate var eventMax: Int64 {
        switch self {
        case .small: 19
        case .middle, .huge: 26
        }
    }
}

extension Customer {
    /// The largest demand that would be granted now; `Demand.costMax` where there are larger ones.
    package func most(
        of metric: String, key: Customer.KeyRules? = nil, at now: Timestamp
    ) -> Int64 {
        var review = Review()
        var (most, over) = (Int64(0), Demand.costMax)
        while over - most > 1 {
            let cost = (most + over) / 2
            var copy = self
            let demand = Demand(metric: metric, cost: cost)
            let isGranted = copy.admit(demand, key: key, at: now, &review) == .granted
            if isGranted { most = cost } else { over = cost }
        }
        return over == Demand.costMax ? over : most
    }

    /// Lives through one event; what was looked at and booked is in the review.
    package mutating func live(
        _ event: CustomerHistory.Event, at now: Timestamp, _ review: inout Review
    ) -> CustomerHistory.Answer {
        switch event {
        case .admit(let demand, let key):
            return .decision(admit(demand, key: key, at: now, &review))
        case .giveBack(let demand, let key, let bookings):
            giveBack(demand, key: key, bookings, &review)
            return .done(true)
        case .reserve(let reservation, let key):
            return .decision(reserve(reservation, key: key, at: now, &review))
        case .commit(let id, let amount, let key):
            return .decision(commit(id, amount, key: key, at: now, &review))
        case .release(let id): return .done(release(id, at: now))
        case .lease(let lease, let key):
            return .decision(self.lease(lease, key: key, at: now, &review))
        case .renew(let lease, let end):
            let token = lease.fencingToken
            return .done(renew(lease.id, fencingToken: token, until: end, at: now) != nil)
        case .endLease(let lease):
            return .done(release(lease.id, fencingToken: lease.fencingToken, at: now))
        case .add(let cost, let metric, let then):
            edit(nil) { $0.add(cost, of: metric, usedAt: then, at: now) }
            return .done(true)
        case .remove(let resource):
            remove(resource)
            return .done(true)
        case .lend(let wanted, let metric, let key, let id, let end):
            return .lent(lend(wanted, of: metric, key: key, id: id, at: now, until: end))
        case .settle(let block, let spent, let then, let key):
            return .done(settle(block.id, spent: spent, usedAt: then, key: key, at: now))
        case .endBlocks: return .done(endBlocks(at: now))
        case .recall:
            recall(at: now)
            return .done(true)
        }
    }
}
