package typealias ReservationID = ID<Reservation>

/// An amount that is taken off a quota before it is known how much of it will be used.
package struct Reservation: Equatable, Sendable {
    package let id: ReservationID
    package let userID: UserID
    /// The key it was made with; nil: the account.
    package let keyID: APIKeyID?
    package let metric: String
    /// Units of the metric.
    package let amount: Int64
    package let createdAt: Timestamp
    /// When it gives itself back.
    package let expiresAt: Timestamp

    package init(
        id: ReservationID, userID: UserID, keyID: APIKeyID?, metric: String, amount: Int64,
        createdAt: Timestamp, expiresAt: Timestamp
    ) {
        self.id = id
        self.userID = userID
        self.keyID = keyID
        self.metric = metric
        self.amount = amount
        self.createdAt = createdAt
        self.expiresAt = expiresAt
    }
}
