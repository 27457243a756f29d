import Domain

extension Connection {
    package var reservations: Reservations { Reservations(db: self) }
}

/// The `reservations` table: those that are held, and settled ones until they are pruned, so that a
/// commit whose answer was lost can be answered again.
package struct Reservations {
    let db: any Connection

    package enum State: Equatable, Sendable {
        /// Also when its time is over: then it has given itself back.
        case held
        case committed(amount: Int64, at: Timestamp)
        case released(at: Timestamp)
    }

    package enum Settlement: Equatable, Sendable {
        /// This much was used, whatever was reserved.
        case committed(amount: Int64)
        case released
    }

    private static let columns: StaticString =
        "id, user_id, key_id, metric, amount, created_at, expires_at"

    private static func decode(_ row: inout Row) throws(Problem) -> Reservation {
        Reservation(
            id: try row.id(), userID: try row.id(), keyID: try row.optionalID(),
            metric: try row.text(), amount: try row.integer(), createdAt: try row.timestamp(),
            expiresAt: try row.timestamp())
    }

    /// As held.
    package func insert(_ reservation: Reservation) throws(Problem) {
        try db.execute(
            """
            INSERT INTO reservations (id, user_id, key_id, metric, amount, created_at, expires_at,
                state)
            VALUES (\(reservation.id), \(reservation.userID), \(reservation.keyID),
                \(reservation.metric), \(reservation.amount), \(reservation.createdAt),
                \(reservation.expiresAt), 'held')
            """)
    }

    /// The reservation that ended by this: one caller gets it. Nil when it was settled before, or
    /// its time is over; `find` tells which.
    package func settle(
        _ id: ReservationID, of user: UserID, as settlement: Settlement, at now: Timestamp
    ) throws(Problem) -> Reservation? {
        let state: String
        let amount: Int64?
        switch settlement {
        case .committed(let used): (state, amount) = ("committed", used)
        case .released: (state, amount) = ("released", nil)
        }
        return try db.first(
            """
            UPDATE reservations SET state = \(state), settled_amount = \(amount),
                settled_at = \(now)
            WHERE id = \(id) AND user_id = \(user) AND state = 'held' AND expires_at > \(now)
            RETURNING \(raw: Self.columns)
            """
        ) { row throws(Problem) in try Self.decode(&row) }
    }

    package struct Found: Equatable, Sendable {
        package let reservation: Reservation
        package let state: State
    }

    package func find(_ id: ReservationID, of user: UserID) throws(Problem) -> Found? {
        try db.first(
            """
            SELECT \(raw: Self.columns), state, settled_amount, settled_at FROM reservations
            WHERE id = \(id) AND user_id = \(user)
            """
        ) { row throws(Problem) in
            let reservation = try Self.decode(&row)
            let text = try row.text()
            let amount = try row.optionalInteger()
            let at = try row.optionalTimestamp()
            guard let state = Self.state(text, amount: amount, at: at) else {
                throw .internal(cause: "a reservation is \(text) without what belongs to it")
            }
            return Found(reservation: reservation, state: state)
        }
    }

    private static func state(_ text: String, amount: Int64?, at: Timestamp?) -> State? {
        switch (text, amount, at) {
        case ("held", nil, nil): .held
        case ("committed", let amount?, let at?): .committed(amount: amount, at: at)
        case ("released", nil, let at?): .released(at: at)
        default: nil
        }
    }

    /// Those that hold something now, the first to end first; at most `Reservation.perCustomerMax`.
    package func live(of user: UserID, at now: Timestamp) throws(Problem) -> [Reservation] {
        try db.rows(
            """
            SELECT \(raw: Self.columns) FROM reservations
            WHERE user_id = \(user) AND state = 'held' AND expires_at > \(now)
            ORDER BY expires_at, id LIMIT \(Reservation.perCustomerMax)
            """
        ) { row throws(Problem) in try Self.decode(&row) }
    }

    /// Of every state: the end of its time counts, and not when it was settled.
    package func prune(endedBefore moment: Timestamp, atMost most: Int) throws(Problem) -> Int {
        try db.execute(
            """
            DELETE FROM reservations WHERE id IN
                (SELECT id FROM reservations WHERE expires_at < \(moment)
                 ORDER BY expires_at LIMIT \(most))
            """)
    }
}
