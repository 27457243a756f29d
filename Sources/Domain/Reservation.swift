package typealias ReservationID = ID<Reservation>

/// Units of a metric set aside for work whose cost is not known yet.
///
/// While it lives it counts against every quota of its metric, in whatever window is current, so
/// that a commit never overshoots. It ends by a commit, a release, or by itself at `expiresAt`.
package struct Reservation: Equatable, Sendable {
    package let id: ReservationID
    package let userID: UserID
    /// The key it was made with, when that key has limits of its own.
    package let keyID: APIKeyID?
    package let metric: String
    /// Units of the metric, 0 or more.
    package let amount: Int64
    package let createdAt: Timestamp
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

    package static let ttlSeconds: ClosedRange<Int64> = 1...3600
    /// Live ones of one customer: bounds memory and what a decision may have to walk through. A
    /// thousand of the largest amount (2^53) still add up below 2^63.
    package static let perCustomerMax = 1000
}
