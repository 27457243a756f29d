import Domain

/// The claims of an access token (RFC 9068): who, which session and generation of it, until when.
package struct AccessToken: Sendable, Equatable {
    /// `jti`.
    package let id: String
    package let userID: UserID
    package let sessionID: SessionID
    package let generation: Int64
    package let role: Account.Role
    package let tokenVersion: Int64
    package let issuedAt: Timestamp
    package let expiresAt: Timestamp

    /// What clocks may differ by (security T2).
    package static let skew: Duration = .seconds(60)
    /// Ours have about 500 bytes; whatever is longer is not one.
    static let bytesMax = 4096
}

/// Signs and verifies access tokens as JWS in compact form (RFC 7515).
///
/// By hand over swift-crypto's primitives, because this is what must be exactly right and fast: the
/// library to be had takes the default key for an unknown `kid` and crosses an actor for each call.
/// Only tokens of our own making are accepted: `alg`, `typ` and `kid` must be what we write, and a
/// header with anything else in it is refused unseen.
package struct AccessTokens: Sendable {
    let keys: KeyRing
    let issuer: String
    let audience: String
    let ttl: Duration

    package init(keys: KeyRing, issuer: String, audience: String, ttl: Duration) {
        self.keys = keys
        self.issuer = issuer
        self.audience = audience
        self.ttl = ttl
    }

    package func issue(
        account: Account, session: SessionID, generation: Int64, at now: Timestamp
    ) throws(Problem) -> String {
        let key = try keys.active(at: now)
        var random = SystemRandomNumberGenerator()
        var header = JSONWriter()
        header.object { json in
            json.member("alg", key.algorithm.rawValue)
            json.member("typ", "at+jwt")
            json.member("kid", key.id)
        }
        var claims = JSONWriter(capacity: 512)
        claims.object { json in
            json.member("iss", issuer)
            json.member("aud", audience)
            json.member("sub", account.id)
            json.member("sid", session)
            json.member("jti", ID<AccessToken>(at: now, using: &random))
            json.member("iat", now.seconds)
            json.member("exp", (now + ttl).seconds)
            json.member("roles", [account.role.rawValue])
            json.member("token_version", account.tokenVersion)
            json.member("gen", generation)
        }
        let message = Base64URL.encode(header.bytes) + "." + Base64URL.encode(claims.bytes)
        let signature = try key.sign(Array(message.utf8))
        return message + "." + Base64URL.encode(signature)
    }

    /// Nil for everything that is not a live token of ours; the reason is nobody's business.
    package func verify(_ text: String, at now: Timestamp) -> AccessToken? {
        guard text.utf8.count <= AccessToken.bytesMax else { return nil }
        let parts = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 3, let header = Self.json(parts[0]),
            case .object(let members) = header, members.count == 3,
            header["typ"] == .string("at+jwt"),
            case .string(let id)? = header["kid"], let key = keys.find(id, at: now),
            header["alg"] == .string(key.algorithm.rawValue),
            let signature = Base64URL.decode(parts[2])
        else { return nil }
        let message = Array(text.utf8.prefix(parts[0].count + 1 + parts[1].count))
        guard key.verifies(signature, of: message), let claims = Self.json(parts[1]) else {
            return nil
        }
        return token(from: claims, at: now)
    }

    private func token(from claims: JSON, at now: Timestamp) -> AccessToken? {
        guard claims["iss"] == .string(issuer), claims["aud"] == .string(audience),
            case .string(let subject)? = claims["sub"], let userID = UserID(subject),
            case .string(let session)? = claims["sid"], let sessionID = SessionID(session),
            case .string(let tokenID)? = claims["jti"], !tokenID.isEmpty,
            case .integer(let issued)? = claims["iat"],
            case .integer(let expires)? = claims["exp"],
            case .array(let roles)? = claims["roles"], case .string(let name)? = roles.first,
            let role = Account.Role(rawValue: name),
            case .integer(let version)? = claims["token_version"],
            case .integer(let generation)? = claims["gen"]
        else { return nil }
        let issuedAt = Timestamp(milliseconds: issued * 1000)
        let expiresAt = Timestamp(milliseconds: expires * 1000)
        guard now < expiresAt, issuedAt <= now + AccessToken.skew else { return nil }
        if let notBefore = claims["nbf"] {
            guard case .integer(let seconds) = notBefore,
                Timestamp(milliseconds: seconds * 1000) <= now + AccessToken.skew
            else { return nil }
        }
        return AccessToken(
            id: tokenID, userID: userID, sessionID: sessionID, generation: generation, role: role,
            tokenVersion: version, issuedAt: issuedAt, expiresAt: expiresAt)
    }

    private static func json(_ part: Substring.UTF8View.SubSequence) -> JSON? {
        guard let bytes = Base64URL.decode(part) else { return nil }
        do {
            return try JSONParser.parse(bytes)
        } catch {
            return nil
        }
    }
}
