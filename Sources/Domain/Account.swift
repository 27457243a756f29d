package typealias UserID = ID<Account>

/// A person who can sign in. The API calls it `User`; `users` is its table.
package struct Account: Equatable, Sendable {
    package enum Role: String, CaseIterable, Sendable {
        /// A customer: their own things.
        case user
        /// Reads the admin API, changes nothing.
        case support
        /// Everything; `is_superuser` in the API.
        case admin
    }

    package let id: UserID
    package var email: EmailAddress
    package var name: String?
    package var role: Role
    package var isActive: Bool
    package var isEmailVerified: Bool
    package var hasTOTP: Bool
    /// Counts up when every token of this account must die: a new password, role or ban. Tokens
    /// carry the value they were made with.
    package var tokenVersion: Int64
    package let createdAt: Timestamp
    package var updatedAt: Timestamp

    package init(
        id: UserID, email: EmailAddress, name: String?, role: Role, isActive: Bool = true,
        isEmailVerified: Bool = false, hasTOTP: Bool = false, tokenVersion: Int64 = 1,
        createdAt: Timestamp, updatedAt: Timestamp
    ) {
        self.id = id
        self.email = email
        self.name = name
        self.role = role
        self.isActive = isActive
        self.isEmailVerified = isEmailVerified
        self.hasTOTP = hasTOTP
        self.tokenVersion = tokenVersion
        self.createdAt = createdAt
        self.updatedAt = updatedAt
    }

    /// The last of these can't be taken away.
    package var isActiveAdmin: Bool { role == .admin && isActive }

    /// Characters of a display name, after trimming and NFC.
    package static let nameMax = 100
}
