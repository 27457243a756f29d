extension Customer {
    /// Sets units aside. Decided like a demand of that cost, and taken from rates for good; on
    /// quotas it is held. `key` is the reservation's.
    package mutating func reserve(
        _ reservation: Reservation, key: KeyRules? = nil, at now: Timestamp,
        _ review: inout Review
    ) -> Decision {
        let demand = Demand(metric: reservation.metric, cost: reservation.amount)
        let decision = examine(demand, key: key, at: now, &review)
        guard case .granted = decision else { return decision }
        guard reservations.hasRoom else {
            review.begin()
            return .tooManyLive
        }
        take(demand.metric, rates: demand.cost, used: 0, key: key, at: now, &review)
        hold(reservation, at: now)
        return .granted
    }

    /// Ends a reservation by what its work did cost. Of more than was reserved, the excess is a
    /// demand of whoever commits, `key` among them; when that is refused, nothing changes.
    package mutating func commit(
        _ id: ReservationID, _ amount: Int64, key: KeyRules? = nil, at now: Timestamp,
        _ review: inout Review
    ) -> Decision {
        review.begin()
        advance(to: now)
        guard let reservation = reservations.find(id) else { return .lost }
        let excess = Demand(metric: reservation.metric, cost: max(0, amount - reservation.amount))
        if excess.cost > 0 {
            let decision = examine(excess, key: key, at: now, &review)
            guard case .granted = decision else { return decision.ending(reservation.expiresAt) }
        }
        _ = release(id, at: now)
        charge(reservation, amount, key: key, at: now, &review)
        if excess.cost == 0 { look(reservation.metric, cost: 0, key: key, at: now, &review) }
        return .granted
    }

    /// Gives a reservation back. False when it lives no more.
    package mutating func release(_ id: ReservationID, at now: Timestamp) -> Bool {
        advance(to: now)
        guard let reservation = reservations.remove(id) else { return false }
        endHold(of: reservation)
        return true
    }

    /// Takes over what the store has, when the customer is loaded.
    package mutating func restore(_ reservation: Reservation, at now: Timestamp) {
        if now < reservation.expiresAt { hold(reservation, at: now) }
    }

    package func reservation(_ id: ReservationID, at now: Timestamp) -> Reservation? {
        reservations.find(id).flatMap { now < $0.expiresAt ? $0 : nil }
    }

    private mutating func hold(_ reservation: Reservation, at now: Timestamp) {
        reservations.add(reservation)
        account.edit(reservation.metric, at: now) { $0.hold(reservation.amount, at: now) }
        guard let key = reservation.keyID else { return }
        edit(key) { ledger in
            ledger.edit(reservation.metric, at: now) { $0.hold(reservation.amount, at: now) }
        }
    }

    mutating func endHold(of reservation: Reservation) {
        account.editIfThere(reservation.metric) { $0.endHold(reservation.amount) }
        guard let key = reservation.keyID else { return }
        editIfThere(key) { ledger in
            ledger.editIfThere(reservation.metric) { $0.endHold(reservation.amount) }
        }
    }

    /// What was reserved is the reserving key's; what is beyond it, the committing key's.
    private mutating func charge(
        _ reservation: Reservation, _ amount: Int64, key: KeyRules?, at now: Timestamp,
        _ review: inout Review
    ) {
        let metric = reservation.metric
        let excess = max(0, amount - reservation.amount)
        charge(nil, standing?.rules, metric, rates: excess, used: amount, at: now, &review)
        if let key {
            let used = key.id == reservation.keyID ? amount : excess
            charge(key.id, key.rules, metric, rates: excess, used: used, at: now, &review)
        }
        if let owner = reservation.keyID, owner != key?.id {
            charge(owner, nil, metric, rates: 0, used: amount - excess, at: now, &review)
        }
    }
}

extension Decision {
    /// A refusal that lasts until the reservation ends is one for good: then there is nothing left
    /// to commit.
    fileprivate func ending(_ end: Timestamp) -> Decision {
        guard case .refused(var refusal) = self, let retryAt = refusal.retryAt, retryAt >= end
        else { return self }
        refusal.canEverPass = false
        return .refused(refusal)
    }
}
