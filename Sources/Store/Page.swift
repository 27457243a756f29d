import Domain

/// Where a list goes on. Lists run from the newest id down, so what is inserted meanwhile never
/// moves a row from one page to another.
package struct Page: Sendable, Equatable {
    package let limit: Int
    /// Rows from before this id; nil begins at the newest.
    package let before: String?

    package init(limit: Int, before: String? = nil) {
        self.limit = limit
        self.before = before
    }

    /// The id that `before` is compared with: one above every UUID when the list begins.
    var bound: String { before ?? "g" }

    package static let limitDefault = 50
    package static let limitMax = 200
}
