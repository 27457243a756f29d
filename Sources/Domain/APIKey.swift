package typealias APIKeyID = ID<APIKey>

/// A key that a customer's program presents. Only a hash of its secret is kept.
package struct APIKey: Equatable, Sendable {
    package let id: APIKeyID
    package let userID: UserID
    package var name: String
    /// The part of the key that may be shown and looked up by.
    package let publicID: String
    /// That of the secret before, while a rotation's overlap lasts.
    package var previousPublicID: String?
    package let lastFour: String
    /// SHA-256 of the secret part. The secret has 190 random bits, so a slow hash adds nothing.
    package let secretHash: [UInt8]
    package var scopes: Scopes
    /// Narrow the plan's; never widen them.
    package var limits: Limits
    package var allowedNetworks: [Network]
    package var expiresAt: Timestamp?
    package var lastUsedAt: Timestamp?
    package var revokedAt: Timestamp?
    package let createdAt: Timestamp

    package init(
        id: APIKeyID, userID: UserID, name: String, publicID: String, lastFour: String,
        secretHash: [UInt8], scopes: Scopes, limits: Limits = .none,
        allowedNetworks: [Network] = [], expiresAt: Timestamp? = nil,
        lastUsedAt: Timestamp? = nil, revokedAt: Timestamp? = nil, createdAt: Timestamp
    ) {
        self.id = id
        self.userID = userID
        self.name = name
        self.publicID = publicID
        self.lastFour = lastFour
        self.secretHash = secretHash
        self.scopes = scopes
        self.limits = limits
        self.allowedNetworks = allowedNetworks
        self.expiresAt = expiresAt
        self.lastUsedAt = lastUsedAt
        self.revokedAt = revokedAt
        self.createdAt = createdAt
    }

    /// The first moment at which it lives no more; nil: none is set.
    package var endsAt: Timestamp? { [revokedAt, expiresAt].compactMap(\.self).min() }

    package func isLive(at now: Timestamp) -> Bool { endsAt.map { now < $0 } ?? true }

    /// What was counted of a key that was revoked is forgotten so long after. Every node has heard
    /// of it after a second; what its last requests took has been answered, or given back, by then.
    package static let forgottenAfter: Duration = .seconds(60)

    /// Characters of a key's name.
    package static let nameMax = 100
    /// Live keys of one account: enough for any team, and a bound on memory.
    package static let perAccountMax = 200
    package static let networksMax = 32
}

/// A key as its owner sees it once: `gh_` + public id + secret + checksum, all base62.
///
/// The checksum (CRC-32 over what stands before it) lets a mistyped or invented key be refused
/// without a look-up, and lets secret scanners know a real one (GitHub's practice since 2021).
package struct APIKeyText: Sendable {
    /// The whole of it, as it is presented.
    package let text: String
    package let publicID: String

    static let prefix = "gh_"
    /// 71 bits: unique by chance alone, and checked by a unique index.
    static let publicIDLength = 12
    /// 190 bits; the contract asks for 160.
    static let secretLength = 32
    private static let checksumLength = 6

    package static func random(using random: inout some RandomNumberGenerator) -> APIKeyText {
        let publicID = Base62.random(publicIDLength, using: &random)
        let body = prefix + publicID + Base62.random(secretLength, using: &random)
        let checksum = Base62.sixDigits(CRC32.checksum(Array(body.utf8)))
        return APIKeyText(body + String(decoding: checksum, as: UTF8.self), publicID: publicID)
    }

    private init(_ text: String, publicID: String) {
        self.text = text
        self.publicID = publicID
    }

    private static let length =
        prefix.utf8.count + publicIDLength + secretLength + checksumLength

    /// Nil unless the text has the form of a key and its checksum holds.
    package init?(_ text: String) {
        var text = text
        // Over plain bytes, and with no memory taken: the gate does this for every request.
        let publicID = text.withUTF8 { bytes -> String? in
            guard bytes.count == Self.length, bytes.starts(with: Self.prefix.utf8),
                bytes.dropFirst(Self.prefix.utf8.count).allSatisfy(Base62.isDigit)
            else { return nil }
            let body = UnsafeBufferPointer(rebasing: bytes.dropLast(Self.checksumLength))
            guard
                Base62.isSixDigits(
                    bytes.suffix(Self.checksumLength), of: CRC32.checksum(body))
            else { return nil }
            let digits = body.dropFirst(Self.prefix.utf8.count)
            return String(decoding: digits.prefix(Self.publicIDLength), as: UTF8.self)
        }
        guard let publicID else { return nil }
        self.init(text, publicID: publicID)
    }

    package var secret: String {
        String(
            text.dropFirst(Self.prefix.utf8.count + Self.publicIDLength).prefix(Self.secretLength))
    }

    package var secretBytes: APIKeySecret {
        var text = text
        return text.withUTF8 { bytes in
            APIKeySecret(bytes.dropFirst(Self.prefix.utf8.count + Self.publicIDLength))
        }
    }

    package static func hasPrefix(_ text: Substring) -> Bool {
        text.utf8.starts(with: prefix.utf8)
    }

    /// What `ApiKey.prefix` shows.
    package static func shownPrefix(publicID: String) -> String { prefix + publicID }

    /// The other way round; nil for what is not shown so.
    package static func publicID(shownAs text: String) -> String? {
        guard text.hasPrefix(prefix) else { return nil }
        let id = text.dropFirst(prefix.count)
        return id.utf8.count == publicIDLength && id.utf8.allSatisfy(Base62.isDigit)
            ? String(id) : nil
    }

    package var lastFour: String { String(text.suffix(4)) }
}

/// The secret of a key that was found right, as a value of its own 32 bytes: a string's would lie
/// elsewhere in memory, and each request of a customer who is in no cache would wait for them.
package struct APIKeySecret: Sendable {
    private var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)

    fileprivate init(_ bytes: Slice<UnsafeBufferPointer<UInt8>>) {
        withUnsafeMutableBytes(of: &words) { $0.copyBytes(from: bytes.prefix($0.count)) }
    }

    /// In a time that tells nothing about where they differ (security X1).
    package static func == (a: APIKeySecret, b: APIKeySecret) -> Bool {
        let (a, b) = (a.words, b.words)
        return (a.0 ^ b.0) | (a.1 ^ b.1) | (a.2 ^ b.2) | (a.3 ^ b.3) == 0
    }
}
