import Domain
import HTTPTypes
import Store

extension Appliance {
    var reservationRoutes: [Route] {
        [
            Route(
                .post, "/api/v1/reservations", .scope(.reservations), .reserve, creates: true
            ) { call throws(Problem) in try await self.reserve(call) },
            Route(
                .post, "/api/v1/reservations/{id}/commit", .scope(.reservations), .commitReservation
            ) {
                call throws(Problem) in try await self.commitReservation(call)
            },
            Route(.delete, "/api/v1/reservations/{id}", .scope(.reservations), .releaseReservation)
            {
                call throws(Problem) in try await self.releaseReservation(call)
            },
        ]
    }

    /// Held in memory first, where the limits are, then written: one that could not be written is
    /// let go again.
    private func reserve(_ call: Call) async throws(Problem) -> Answer {
        let caller = try call.signedIn()
        let now = call.now
        var form = try await call.form()
        let metric = form.required("metric") { $0.word("metric", $1) }
        let amount = form.required("amount") { $0.amount("amount", $1) }
        let ttl = form.seconds("ttl_seconds", in: Reservation.ttlSeconds)
        let (counted, units, span) = try form.finish(metric, amount, ttl)
        var random = SystemRandomNumberGenerator()
        let reservation = Reservation(
            id: ID(at: now, using: &random), userID: caller.userID, keyID: caller.keyRules?.id,
            metric: counted, amount: units, createdAt: now, expiresAt: now + span)
        var review = Review()
        let key = caller.keyRules
        let acceptance = try await gatekeeper.decided(caller.userID, at: now, &review) {
            customer, review, now in
            customer.reserve(reservation, key: key, at: now, &review)
        } undo: { customer, now in
            _ = customer.release(reservation.id, at: now)
        }
        var answer = Answer.json(.created) { $0.reservation(reservation, .held) }
            .with(.location, "\(call.route.base)/reservations/\(reservation.id)")
        let kept = answer
        do throws(Problem) {
            try await store.write { db throws(Problem) in
                try db.reservations.insert(reservation)
                try call.keep(kept, db)
            }
        } catch {
            await gatekeeper.correct(caller.userID, .byID, at: now) { customer, now in
                _ = customer.release(reservation.id, at: now)
            }
            throw error
        }
        await gatekeeper.confirm(caller.userID, .byID, acceptance) { customer, now in
            customer.put(reservation, at: now)
        }
        RateLimitFields.add(review.states, at: now, to: &answer.headers)
        return answer
    }

    /// Decided in memory; then the store settles the reservation and counts what it came to in one
    /// transaction, so that whoever dies, it is counted once.
    private func commitReservation(_ call: Call) async throws(Problem) -> Answer {
        let caller = try call.signedIn()
        let now = call.now
        let id: ReservationID = try call.id("reservation")
        var form = try await call.form()
        let amount = form.required("amount") { $0.amount("amount", $1) }
        let units = try form.finish(amount)
        return try await turnstiles[id].pass { () throws(Problem) in
            try await self.commit(id, units, by: caller, at: now)
        }
    }

    private func commit(
        _ id: ReservationID, _ units: Int64, by caller: Caller, at now: Timestamp
    ) async throws(Problem) -> Answer {
        let user = caller.userID
        let held = try await gatekeeper.look(user, at: now) { $0.reservation(id, at: $1) }
        guard let held else { return try await settled(id, of: user, units) }
        var review = Review()
        let key = caller.keyRules
        let acceptance = try await gatekeeper.decided(user, at: now, &review) {
            customer, review, now in
            customer.commit(id, units, key: key, at: now, &review)
        }
        let bookings = review.bookings
        do throws(Problem) {
            try await store.write { db throws(Problem) in
                let settled = try db.reservations.settle(
                    id, of: user, as: .committed(amount: units), at: now)
                guard settled != nil else { throw Self.reservationLost }
                try db.usage.add(bookings.map { UsageDelta($0, of: user) })
            }
        } catch {
            let isHeld = error.code != .reservationLost
            await gatekeeper.correct(user, .takesAway, at: now, after: acceptance) {
                customer, now in
                var undone = Review()
                customer.giveBack(
                    Demand(metric: held.metric, cost: units), key: key, bookings, &undone)
                if isHeld { customer.put(held, at: now) }
            }
            throw error
        }
        await gatekeeper.confirm(user, .adds, acceptance) { customer, now in
            _ = customer.release(id, at: now)
            customer.add(bookings, at: now)
        }
        gatekeeper.notice(user)
        var answer = Answer.json { $0.reservation(held, .committed(amount: units, at: now)) }
        RateLimitFields.add(review.states, at: now, to: &answer.headers)
        return answer
    }

    private static let reservationLost = Problem(
        .reservationLost, "This reservation has ended.")

    /// One that is no longer held: the same commit again has the same answer.
    private func settled(
        _ id: ReservationID, of user: UserID, _ amount: Int64
    ) async throws(Problem) -> Answer {
        let found = try await store.read { db throws(Problem) in
            try db.reservations.find(id, of: user)
        }
        guard let found else { throw .notFound("reservation") }
        guard case .committed(amount, _) = found.state else { throw Self.reservationLost }
        return .json { $0.reservation(found.reservation, found.state) }
    }

    private func releaseReservation(_ call: Call) async throws(Problem) -> Answer {
        let user = try call.signedIn().userID
        let now = call.now
        let id: ReservationID = try call.id("reservation")
        let found = try await store.write { db throws(Problem) -> Reservations.State? in
            if try db.reservations.settle(id, of: user, as: .released, at: now) != nil {
                return Reservations.State.released(at: now)
            }
            return try db.reservations.find(id, of: user)?.state
        }
        switch found {
        case nil: throw .notFound("reservation")
        case .held, .committed: throw Self.reservationLost
        case .released:
            await gatekeeper.correct(user, .byID, at: now) { customer, now in
                _ = customer.release(id, at: now)
            }
            return .noContent
        }
    }
}

extension UsageDelta {
    init(_ booking: Booking, of user: UserID) {
        self.init(
            key: Key(
                user: user, key: booking.owner, metric: booking.metric, hour: booking.hourIndex),
            value: booking.cost)
    }
}

extension Shapes {
    static let reservation = Shape<(reservation: Reservation, state: Reservations.State)>(
        "Reservation",
        [
            .member("id") { $0.reservation.id },
            .member("metric", .metric) { $0.reservation.metric },
            .member("amount") { $0.reservation.amount },
            .member("state", .words(["held", "committed", "released"])) { $0.state.word },
            .member("committed") { $0.state.committed },
            .member("created_at") { $0.reservation.createdAt },
            .member("expires_at") { $0.reservation.expiresAt },
        ])
}

extension Reservations.State {
    fileprivate var word: String {
        switch self {
        case .held: "held"
        case .committed: "committed"
        case .released: "released"
        }
    }

    fileprivate var committed: Int64? {
        switch self {
        case .committed(let amount, _): amount
        case .held, .released: nil
        }
    }
}

extension JSONWriter {
    /// `Reservation`.
    fileprivate mutating func reservation(
        _ reservation: Reservation, _ state: Reservations.State
    ) {
        write((reservation, state), as: Shapes.reservation)
    }
}
