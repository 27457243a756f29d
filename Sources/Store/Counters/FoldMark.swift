import Domain

/// How much of a counter file's batches the store has. It is written with what it tells of, so
/// after a crash it is true, whichever step was the last one.
///
/// A batch of many customers is folded in parts, in the order of their ids: one transaction for all
/// of them would keep every other write waiting.
package struct FoldMark: Sendable, Equatable {
    /// The last batch that is in the store whole; 0 before the first.
    package let batch: UInt64
    /// Of the batch after it, the counts of the customers up to this one. Nil: nobody's.
    package let through: UserID?

    package init(batch: UInt64, through: UserID? = nil) {
        self.batch = batch
        self.through = through
    }

    /// Whether the store has what a batch counted for a customer.
    func has(_ user: UserID, of batch: UInt64) -> Bool {
        if batch <= self.batch { return true }
        guard batch == self.batch + 1, let through else { return false }
        return user <= through
    }
}

extension FoldMark: LosslessStringConvertible {
    package init?(_ text: String) {
        let words = text.split(separator: " ", omittingEmptySubsequences: false)
        guard let batch = words.first.flatMap({ UInt64($0) }) else { return nil }
        switch words.count {
        case 1: self.init(batch: batch)
        case 2:
            guard let user = UserID(String(words[1])) else { return nil }
            self.init(batch: batch, through: user)
        default: return nil
        }
    }

    /// `7`, or `7 01999b2f-…` with a part of batch 8.
    package var description: String { "\(batch)" + (through.map { " \($0)" } ?? "") }
}
