package typealias LeaseID = ID<Lease>

/// One hold of a customer on one of a limited number of a resource, for a time.
package struct Lease: Equatable, Sendable {
    package let id: LeaseID
    package let userID: UserID
    /// The key it was taken with; nil: the account.
    package let keyID: APIKeyID?
    package let resource: String
    /// Grows with every lease that is given: what the holder protects can refuse an older one.
    package let fencingToken: Int64
    package let createdAt: Timestamp
    package let expiresAt: Timestamp

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
}
