import Domain
import Store

/// What a customer's own service calls for.
extension QueryCalls {
    mutating func addRecords() {
        addLeases()
        addReservations()
        addUsageEvents()
        addIdempotencyKeys()
        addSecondFactors()
    }

    private mutating func addSecondFactors() {
        let (user, now) = (user.id, sample.now)
        let factor = SecondFactor(userID: user, sealedSecret: [1], createdAt: now)
        add("secondFactors.begin") { db throws(Problem) in
            _ = try db.secondFactors.begin(factor)
        }
        add("secondFactors.find") { db throws(Problem) in _ = try db.secondFactors.find(user) }
        add("secondFactors.findAny") { db throws(Problem) in
            _ = try db.secondFactors.findAny()
        }
        add("secondFactors.confirm") { db throws(Problem) in
            _ = try db.secondFactors.confirm(user, step: 1, at: now)
        }
        add("secondFactors.accept") { db throws(Problem) in
            _ = try db.secondFactors.accept(2, of: user)
        }
        add("secondFactors.setRecoveryCodes") { db throws(Problem) in
            try db.secondFactors.setRecoveryCodes([[1], [2]], of: user)
        }
        add("secondFactors.countRecoveryCodes") { db throws(Problem) in
            _ = try db.secondFactors.countRecoveryCodes(of: user)
        }
        add("secondFactors.redeem") { db throws(Problem) in
            _ = try db.secondFactors.redeem([1], of: user)
        }
        add("secondFactors.remove") { db throws(Problem) in
            _ = try db.secondFactors.remove(user)
        }
    }

    private mutating func addLeases() {
        let (user, now) = (user.id, sample.now)
        let (id, key): (LeaseID, APIKeyID) = (sample.id(), sample.id())
        let end = now + .seconds(60)
        add("leases.insert") { db throws(Problem) in
            _ = try db.leases.insert(
                id, of: user, key: key, resource: "jobs", at: now, expiresAt: end)
        }
        add("leases.find") { db throws(Problem) in _ = try db.leases.find(id, of: user) }
        add("leases.live") { db throws(Problem) in _ = try db.leases.live(of: user, at: now) }
        add("leases.renew") { db throws(Problem) in
            _ = try db.leases.renew(id, of: user, fencingToken: 1, until: end, at: now)
        }
        add("leases.release") { db throws(Problem) in
            _ = try db.leases.release(id, of: user, fencingToken: 1, at: now)
        }
        add("leases.prune") { db throws(Problem) in
            _ = try db.leases.prune(endedBefore: now, atMost: 9)
        }
    }

    private mutating func addReservations() {
        let (user, now) = (user.id, sample.now)
        let held = sample.reservation(of: user)
        add("reservations.insert") { db throws(Problem) in try db.reservations.insert(held) }
        add("reservations.find") { db throws(Problem) in
            _ = try db.reservations.find(held.id, of: user)
        }
        add("reservations.live") { db throws(Problem) in
            _ = try db.reservations.live(of: user, at: now)
        }
        add("reservations.settle") { db throws(Problem) in
            _ = try db.reservations.settle(held.id, of: user, as: .committed(amount: 2), at: now)
            _ = try db.reservations.settle(held.id, of: user, as: .released, at: now)
        }
        add("reservations.prune") { db throws(Problem) in
            _ = try db.reservations.prune(endedBefore: now, atMost: 9)
        }
    }

    private mutating func addUsageEvents() {
        let (user, now) = (user.id, sample.now)
        let event = UsageEvents.Event(
            id: "a", user: user, key: sample.id(), metric: "tokens", value: 1, at: now)
        add("usageEvents.record") { db throws(Problem) in
            _ = try db.usageEvents.record([event], at: now)
        }
        add("usageEvents.prune") { db throws(Problem) in
            _ = try db.usageEvents.prune(recordedBefore: now, atMost: 9)
        }
    }

    private mutating func addIdempotencyKeys() {
        let now = sample.now
        let entry = sample.answer(to: "user:a")
        add("idempotencyKeys.insert") { db throws(Problem) in
            _ = try db.idempotencyKeys.insert(entry, unlessNewerThan: now)
        }
        add("idempotencyKeys.find") { db throws(Problem) in
            _ = try db.idempotencyKeys.find(
                owner: "user:a", keyHash: entry.keyHash, newerThan: now)
        }
        add("idempotencyKeys.removeAll") { db throws(Problem) in
            try db.idempotencyKeys.removeAll(of: "user:a")
        }
        add("idempotencyKeys.prune") { db throws(Problem) in
            _ = try db.idempotencyKeys.prune(createdBefore: now, atMost: 9)
        }
    }
}
