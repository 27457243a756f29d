package typealias ItemID = ID<Item>

/// The sample resource: something small that a customer keeps.
package struct Item: Equatable, Sendable {
    package let id: ItemID
    package let userID: UserID
    package var name: String
    /// Any JSON, as it was sent.
    package var data: JSON
    package let createdAt: Timestamp
    package var updatedAt: Timestamp

    package init(
        id: ItemID, userID: UserID, name: String, data: JSON, createdAt: Timestamp,
        updatedAt: Timestamp
    ) {
        self.id = id
        self.userID = userID
        self.name = name
        self.data = data
        self.createdAt = createdAt
        self.updatedAt = updatedAt
    }

    package static let nameMax = 200
    /// Of `data`, encoded (contract.md).
    package static let dataBytesMax = 16 * 1024
    /// The name in `max_items`.
    package static let resource = "items"
}
