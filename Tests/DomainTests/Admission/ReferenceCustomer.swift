import Domain

/// The rules of admission said as plainly as can be: every number is worked out anew from a list of
/// all that happened. Slow, and right by reading it; `CustomerModelTests` compares.
struct ReferenceCustomer {
    /// Whose counts: the account's (nil) or a key's.
    struct Slot: Hashable {
        let owner: APIKeyID?
        let metric: String
    }

    struct Use: Equatable {
        let slot: Slot
        /// When it counts: the latest moment of the slot so far, if the clock stepped back.
        let moment: Timestamp
        let cost: Int64
    }

    struct Bucket {
        var level: Int128 = 0
        var at = Timestamp.epoch
    }

    var plan: Limits
    private(set) var uses: [Use] = []
    private(set) var holds: [Reservation] = []
    private(set) var leases: [Lease] = []
    private(set) var things: [String: Int64] = [:]
    private var latest: [Slot: Timestamp] = [:]
    private var buckets: [String: Bucket] = [:]
    private var clock = Timestamp.epoch

    init(plan: Limits) { self.plan = plan }

    typealias Key = (id: APIKeyID, limits: Limits)

    // MARK: Time

    mutating func advance(to now: Timestamp) {
        if clock - now > .seconds(1) {
            clock = now
            buckets = buckets.mapValues { bucket in
                Bucket(
                    level: bucket.level, at: bucket.at - now > .seconds(1) ? now : bucket.at)
            }
        }
        clock = max(clock, now)
        holds.removeAll { now >= $0.expiresAt }
        leases.removeAll { now >= $0.expiresAt }
    }

    // MARK: Requests

    mutating func admit(_ demand: Demand, _ key: Key?, at now: Timestamp) -> Bool {
        advance(to: now)
        guard hasRoom(demand.metric, demand.cost, key, at: now) else { return false }
        if let resource = demand.resource, let bound = bound("max_\(resource)", plan),
            things[resource, default: 0] >= bound
        {
            return false
        }
        debit(demand.metric, demand.cost, key, at: now)
        use(demand.metric, demand.cost, nil, at: now)
        if let key { use(demand.metric, demand.cost, key.id, at: now) }
        if let resource = demand.resource { things[resource, default: 0] += 1 }
        return true
    }

    mutating func reserve(_ hold: Reservation, _ key: Key?, at now: Timestamp) -> Bool {
        advance(to: now)
        guard hasRoom(hold.metric, hold.amount, key, at: now) else { return false }
        debit(hold.metric, hold.amount, key, at: now)
        holds.append(hold)
        touch(Slot(owner: nil, metric: hold.metric), at: now)
        if let owner = hold.keyID { touch(Slot(owner: owner, metric: hold.metric), at: now) }
        return true
    }

    /// Nil: lost.
    mutating func commit(
        _ id: ReservationID, _ amount: Int64, _ key: Key?, at now: Timestamp
    ) -> Bool? {
        advance(to: now)
        guard let hold = holds.first(where: { $0.id == id }) else { return nil }
        let excess = max(0, amount - hold.amount)
        if excess > 0 {
            guard hasRoom(hold.metric, excess, key, at: now) else { return false }
            debit(hold.metric, excess, key, at: now)
        }
        holds.removeAll { $0.id == id }
        use(hold.metric, amount, nil, at: now)
        if let key { use(hold.metric, excess, key.id, at: now) }
        if let owner = hold.keyID { use(hold.metric, amount - excess, owner, at: now) }
        return true
    }

    mutating func release(_ id: ReservationID, at now: Timestamp) -> Bool {
        advance(to: now)
        let count = holds.count
        holds.removeAll { $0.id == id }
        return holds.count < count
    }

    mutating func lease(_ lease: Lease, _ key: Key?, at now: Timestamp) -> Bool {
        advance(to: now)
        let name = "concurrent_\(lease.resource)"
        let all = leases.filter { $0.resource == lease.resource }
        if let bound = bound(name, plan), all.count >= bound { return false }
        if let key, let bound = bound(name, key.limits),
            all.count(where: { $0.keyID == key.id }) >= bound
        {
            return false
        }
        leases.append(lease)
        return true
    }

    mutating func renew(_ id: LeaseID, until end: Timestamp, at now: Timestamp) -> Bool {
        advance(to: now)
        guard let old = leases.first(where: { $0.id == id }) else { return false }
        leases.removeAll { $0.id == id }
        leases.append(
            Lease(
                id: id, userID: old.userID, keyID: old.keyID, resource: old.resource,
                fencingToken: old.fencingToken, createdAt: old.createdAt, expiresAt: end))
        return true
    }

    mutating func release(_ id: LeaseID, at now: Timestamp) -> Bool {
        advance(to: now)
        let count = leases.count
        leases.removeAll { $0.id == id }
        return leases.count < count
    }

    // MARK: Counts

    func used(_ slot: Slot, _ window: Window, at now: Timestamp) -> Int64 {
        let current = window.index(of: max(now, latest[slot] ?? now))
        return uses.filter { $0.slot == slot && window.index(of: $0.moment) == current }
            .reduce(0) { $0 + $1.cost }
    }

    func held(_ slot: Slot) -> Int64 {
        holds.filter {
            $0.metric == slot.metric && (slot.owner == nil || slot.owner == $0.keyID)
        }.reduce(0) { $0 + $1.amount }
    }

    private func bound(_ name: String, _ limits: Limits) -> Int64? {
        limits.all.first { $0.name == name }?.bound
    }

    private func hasRoom(
        _ metric: String, _ cost: Int64, _ key: Key?, at now: Timestamp
    ) -> Bool {
        guard hasRoom(metric, cost, nil, plan, at: now) else { return false }
        return key.map { hasRoom(metric, cost, $0.id, $0.limits, at: now) } ?? true
    }

    private func hasRoom(
        _ metric: String, _ cost: Int64, _ owner: APIKeyID?, _ limits: Limits, at now: Timestamp
    ) -> Bool {
        let slot = Slot(owner: owner, metric: metric)
        for limit in limits.all {
            guard let bound = limit.bound else { continue }
            switch limit.kind {
            case .quota(metric, let window):
                let taken = used(slot, window, at: now) + held(slot)
                if !limit.allowsOverage, taken + cost > bound { return false }
            case .rate(metric, let period):
                let level = level(limit.name, owner, bound, at: now)
                let burst = burst(of: metric, period, bound, limits)
                let full = Int128(burst * period.milliseconds)
                if level + Int128(cost * period.milliseconds) > full { return false }
            case .quota, .rate, .burst, .concurrency, .stock: continue
            }
        }
        return true
    }

    private func burst(
        of metric: String, _ period: Limit.RatePeriod, _ bound: Int64, _ limits: Limits
    ) -> Int64 {
        let isFinest = period == .second || self.bound("\(metric)_per_second", limits) == nil
        return isFinest ? self.bound("\(metric)_burst", limits) ?? bound : bound
    }

    private func level(
        _ name: String, _ owner: APIKeyID?, _ bound: Int64, at now: Timestamp
    ) -> Int128 {
        let bucket = buckets["\(name) \(owner?.description ?? "")"] ?? Bucket()
        let elapsed = max(0, now.milliseconds - bucket.at.milliseconds)
        return max(0, bucket.level - Int128(elapsed) * Int128(bound))
    }

    private mutating func debit(_ metric: String, _ cost: Int64, _ key: Key?, at now: Timestamp) {
        guard cost > 0 else { return }
        debit(metric, cost, nil, plan, at: now)
        if let key { debit(metric, cost, key.id, key.limits, at: now) }
    }

    private mutating func debit(
        _ metric: String, _ cost: Int64, _ owner: APIKeyID?, _ limits: Limits, at now: Timestamp
    ) {
        for limit in limits.all {
            guard case .rate(metric, let period) = limit.kind, let bound = limit.bound else {
                continue
            }
            let name = "\(limit.name) \(owner?.description ?? "")"
            let level = level(limit.name, owner, bound, at: now)
            buckets[name] = Bucket(
                level: level + Int128(cost * period.milliseconds),
                at: max(buckets[name]?.at ?? now, now))
        }
    }

    private mutating func use(
        _ metric: String, _ cost: Int64, _ owner: APIKeyID?, at now: Timestamp
    ) {
        guard cost > 0 else { return }
        let slot = Slot(owner: owner, metric: metric)
        uses.append(Use(slot: slot, moment: touch(slot, at: now), cost: cost))
    }

    @discardableResult
    private mutating func touch(_ slot: Slot, at now: Timestamp) -> Timestamp {
        let moment = max(now, latest[slot] ?? now)
        latest[slot] = moment
        return moment
    }
}
