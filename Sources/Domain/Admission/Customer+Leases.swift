extension Customer {
    /// Takes a lease, within `concurrent_<resource>` of the plan and of the key. `key` is the
    /// lease's.
    package mutating func lease(
        _ lease: Lease, key: KeyRules? = nil, at now: Timestamp, _ review: inout Review
    ) -> Decision {
        review.begin()
        guard let standing else { return .unsubscribed }
        if let expiresAt = standing.expiresAt, now >= expiresAt { return .stale }
        advance(to: now)
        var question = Review.Question(cost: 1, now: now)
        if let limit = standing.rules.concurrency(lease.resource) {
            review.look(at: leases, limit, for: lease, question)
        }
        if let key, let limit = key.rules.concurrency(lease.resource) {
            question.owner = key.id
            review.look(at: leases, limit, for: lease, question)
        }
        if let refusal = review.refusal { return .refused(refusal) }
        guard leases.hasRoom else {
            review.begin()
            return .tooManyLive
        }
        leases.add(lease)
        return .granted
    }

    /// Lets a lease live until another moment; only its holder can. Nil when it is lost.
    package mutating func renew(
        _ id: LeaseID, fencingToken: Int64, until expiresAt: Timestamp, at now: Timestamp
    ) -> Lease? {
        advance(to: now)
        guard var lease = leases.find(id), lease.fencingToken == fencingToken else { return nil }
        _ = leases.remove(id)
        lease.expiresAt = expiresAt
        leases.add(lease)
        return lease
    }

    /// Gives a lease back; only its holder can. False when it is lost.
    package mutating func release(
        _ id: LeaseID, fencingToken: Int64, at now: Timestamp
    ) -> Bool {
        advance(to: now)
        guard let lease = leases.find(id), lease.fencingToken == fencingToken else { return false }
        _ = leases.remove(id)
        return true
    }

    /// Takes over what the store has, when the customer is loaded.
    package mutating func restore(_ lease: Lease, at now: Timestamp) {
        if now < lease.expiresAt { leases.add(lease) }
    }

    package func inUse(_ resource: String, at now: Timestamp) -> Int64 {
        Int64(leases.live.count { $0.resource == resource && now < $0.expiresAt })
    }
}
