/// What is made good afterwards: a state that several nodes share may hear late of what the store
/// or a journal has already. Nothing of it is decided, so no limit refuses it. What names a thing
/// by its id can be heard twice.
extension Customer {
    /// Takes a demand that was granted without asking this state.
    package mutating func take(_ demand: Demand, key: KeyRules?, at now: Timestamp) {
        advance(to: now)
        var review = Review()
        take(demand.metric, rates: demand.cost, used: demand.cost, key: key, at: now, &review)
        if let resource = demand.resource { add(resource) }
    }

    /// Counts as used what the store has.
    package mutating func add(_ bookings: [Booking], at now: Timestamp) {
        for booking in bookings {
            let then = Window.hour.start(of: booking.hourIndex)
            edit(booking.owner) { $0.add(booking.cost, of: booking.metric, usedAt: then, at: now) }
        }
    }

    /// A lease that the store has, in place of what is here under its id.
    package mutating func put(_ lease: Lease, at now: Timestamp) {
        advance(to: now)
        _ = leases.remove(lease.id)
        restore(lease, at: now)
    }

    /// A reservation that the store has; one that is held here already stays as it is.
    package mutating func put(_ reservation: Reservation, at now: Timestamp) {
        advance(to: now)
        if reservations.find(reservation.id) == nil { restore(reservation, at: now) }
    }
}
