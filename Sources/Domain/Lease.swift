package typealias LeaseID = ID<Lease>

/// The right to use one of a resource until a moment; renewed while the work goes on.
package struct Lease: Equatable, Sendable {
    package let id: LeaseID
    package let userID: UserID
    /// The key it was taken with.
    package let keyID: APIKeyID?
    package let resource: String
    /// Higher than that of every lease before it. What the work writes to can refuse a holder who
    /// comes back after the lease went to somebody else (Kleppmann 2016).
    package let fencingToken: Int64
    package let createdAt: Timestamp
    package internal(set) var expiresAt: Timestamp

    package init(
        id: LeaseID, userID: UserID, keyID: APIKeyID?, resource: String, fencingToken: Int64,
        createdAt: Timestamp, expiresAt: Timestamp
    ) {
        self.id = id
        self.userID = userID
        self.keyID = keyID
        self.resource = resource
        self.fencingToken = fencingToken
        self.createdAt = createdAt
        self.expiresAt = expiresAt
    }

    package static let ttlSeconds: ClosedRange<Int64> = 1...3600
    /// Live ones of one customer, where the plan sets no limit: bounds memory.
    package static let perCustomerMax = 1000
}
