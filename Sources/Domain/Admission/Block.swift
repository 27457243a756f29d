package typealias BlockID = ID<Block>

/// Units of a metric that one node has taken ahead from the state that all share, to grant them by
/// itself.
///
/// While it lives every decision of the others counts it as used. It ends by being settled, with
/// what was spent of it, or by `Customer.endBlocks` after `expiresAt`: then all of it was spent,
/// since nobody can say what a node did that was not heard of again.
package struct Block: Equatable, Sendable {
    package let id: BlockID
    /// The key it was taken for, when that key has limits of its own.
    package let keyID: APIKeyID?
    package let metric: String
    /// Units of the metric.
    package let amount: Int64
    /// Units are spent from then on, and within its hour.
    package let createdAt: Timestamp
    package let expiresAt: Timestamp

    package init(
        id: BlockID, keyID: APIKeyID?, metric: String, amount: Int64, createdAt: Timestamp,
        expiresAt: Timestamp
    ) {
        self.id = id
        self.keyID = keyID
        self.metric = metric
        self.amount = amount
        self.createdAt = createdAt
        self.expiresAt = expiresAt
    }

    /// Fewer units save no trip worth the bookkeeping. The most is a thousand demands of the
    /// largest cost: a table of them is below 2^36, which no sum with counts below 2^53 notices.
    package static let amounts: ClosedRange<Int64> = 8...1_000_000_000
    /// Live ones of one customer: some nodes with some keys each.
    package static let perCustomerMax = 64
    /// No block is more than this part of what is left, so that many nodes find some, and a block
    /// that is lost with its node is little.
    package static let roomShare: Int64 = 16
    /// How long a recall keeps nodes from taking the next: as long as they hold one at most.
    package static let recallPause: Int64 = 1000  // milliseconds
}

extension Block: Expiring {}
