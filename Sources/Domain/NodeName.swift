/// What one node of an installation that several share is called. Its counts are folded under this
/// name, so it belongs to a data directory, where it is kept, and no two that run have the same.
package struct NodeName: Hashable, Sendable {
    private let text: String

    /// Some 95 bits: nobody has to ask whether it is taken.
    private static let length = 16

    package init(using random: inout some RandomNumberGenerator) {
        text = Base62.random(Self.length, using: &random)
    }
}

extension NodeName: LosslessStringConvertible {
    package init?(_ text: String) {
        guard text.utf8.count == Self.length, text.utf8.allSatisfy(Base62.isDigit) else {
            return nil
        }
        self.text = text
    }

    package var description: String { text }
}
