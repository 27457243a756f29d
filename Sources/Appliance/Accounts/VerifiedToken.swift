/// An access token whose signature was checked.
struct VerifiedToken: Sendable {
    let token: AccessToken
    /// Where its account was found last.
    var account: AccountSnapshot?

    /// A token as it came, found by its end: that is its signature, and what differs from token to
    /// token. To hash all 600 bytes takes longer than the rest of a warm look.
    struct Text: Hashable, Sendable {
        private static let hashed = 32

        private let authorization: String

        init(_ authorization: String) { self.authorization = authorization }

        var token: String { String(Credential.token(in: authorization)) }

        func hash(into hasher: inout Hasher) {
            var text = authorization
            text.withUTF8 { utf8 in
                let end = UnsafeRawBufferPointer(utf8).suffix(Self.hashed)
                hasher.combine(bytes: UnsafeRawBufferPointer(rebasing: end))
            }
        }
    }
}
