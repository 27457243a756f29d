package typealias PlanID = ID<Plan>

/// What a customer gets: a named set of limits.
package struct Plan: Equatable, Sendable {
    package let id: PlanID
    /// The name in URLs and configuration; never changes.
    package let slug: String
    package var name: String
    package var description: String?
    package var limits: Limits
    /// Customers may choose it themselves.
    package var isSelfService: Bool
    /// What a new customer gets, and what an expired subscription falls back to; one at most.
    package var isDefault: Bool
    package var archivedAt: Timestamp?
    package let createdAt: Timestamp
    package var updatedAt: Timestamp

    package init(
        id: PlanID, slug: String, name: String, description: String?, limits: Limits,
        isSelfService: Bool, isDefault: Bool, archivedAt: Timestamp? = nil,
        createdAt: Timestamp, updatedAt: Timestamp
    ) {
        self.id = id
        self.slug = slug
        self.name = name
        self.description = description
        self.limits = limits
        self.isSelfService = isSelfService
        self.isDefault = isDefault
        self.archivedAt = archivedAt
        self.createdAt = createdAt
        self.updatedAt = updatedAt
    }

    package static let nameMax = 100
    package static let descriptionMax = 1000
    package static let slugMax = 40

    /// Lower-case letters, digits and inner hyphens.
    package static func isSlug(_ text: String) -> Bool {
        (1...slugMax).contains(text.utf8.count) && !text.hasPrefix("-") && !text.hasSuffix("-")
            && text.utf8.allSatisfy {
                $0 == UInt8(ascii: "-")
                    || Base62.isDigit($0)
                        && !(UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0)
            }
    }
}
