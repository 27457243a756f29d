import Domain
import Store
import Support
import Testing

@testable import Appliance

@Suite("Access tokens")
struct SigningTests {
    private static let now = Timestamp("2026-11-23T12:00:00.000Z") ?? .epoch

    private static func tokens(
        _ algorithm: SigningAlgorithm, _ folder: TemporaryFolder,
        issuer: String = "https://a.example", store: any Database = NoStore()
    ) throws -> AccessTokens {
        let ring = try KeyRing(
            path: folder.path + "/\(algorithm.rawValue).json", store: store, algorithm: algorithm,
            tokenTTL: .seconds(900), now: now)
        return AccessTokens(keys: ring, issuer: issuer, audience: "test", ttl: .seconds(900))
    }

    private static func issue(_ tokens: AccessTokens) throws -> (String, Account) {
        var random = SystemRandomNumberGenerator()
        let account = Account(
            id: ID(at: now, using: &random), email: EmailAddress(canonical: "ann@example.com"),
            name: nil, role: .user, createdAt: now, updatedAt: now)
        let session = SessionID(at: now, using: &random)
        return (
            try tokens.issue(account: account, session: session, generation: 3, at: now), account
        )
    }

    @Test(
        "a token of each algorithm verifies and carries its claims",
        arguments: SigningAlgorithm.allCases)
    func roundTrip(_ algorithm: SigningAlgorithm) throws {
        let folder = try TemporaryFolder()
        let tokens = try Self.tokens(algorithm, folder)
        let (text, account) = try Self.issue(tokens)
        let token = try #require(tokens.verify(text, at: Self.now))
        #expect(token.userID == account.id)
        #expect(token.generation == 3)
        #expect(token.expiresAt == Self.now + .seconds(900))
    }

    @Test("any changed character of a token is refused", arguments: SigningAlgorithm.allCases)
    func everyCharacterCounts(_ algorithm: SigningAlgorithm) throws {
        let folder = try TemporaryFolder()
        let tokens = try Self.tokens(algorithm, folder)
        let (text, _) = try Self.issue(tokens)
        let bytes = Array(text.utf8)
        for place in stride(from: 0, to: bytes.count, by: algorithm == .rs256 ? 7 : 1) {
            var changed = bytes
            changed[place] =
                bytes[place] == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
            let forged = String(decoding: changed, as: UTF8.self)
            #expect(tokens.verify(forged, at: Self.now) == nil, "place \(place)")
        }
    }

    @Test("headers that would choose another key or algorithm are refused")
    func forgedHeaders() throws {
        let folder = try TemporaryFolder()
        let tokens = try Self.tokens(.edDSA, folder)
        let (text, _) = try Self.issue(tokens)
        let parts = text.split(separator: ".").map(String.init)
        let kid = try tokens.keys.active(at: Self.now).id
        let headers = [
            #"{"alg":"none","typ":"at+jwt","kid":"\#(kid)"}"#,
            #"{"alg":"HS256","typ":"at+jwt","kid":"\#(kid)"}"#,
            #"{"alg":"EdDSA","typ":"JWT","kid":"\#(kid)"}"#,
            #"{"alg":"EdDSA","typ":"at+jwt"}"#,
            #"{"alg":"EdDSA","typ":"at+jwt","kid":"unknown"}"#,
            #"{"alg":"EdDSA","typ":"at+jwt","kid":"\#(kid)","jku":"https://evil.example"}"#,
            #"{"alg":"EdDSA","typ":"at+jwt","kid":"\#(kid)","crit":["exp"]}"#,
        ]
        for header in headers {
            // Signed with the right key, so that the header alone decides.
            let message = Base64URL.encode(header.utf8) + "." + parts[1]
            let signature = try tokens.keys.active(at: Self.now).sign(Array(message.utf8))
            let forged = message + "." + Base64URL.encode(signature)
            #expect(tokens.verify(forged, at: Self.now) == nil, "\(header)")
        }
        #expect(tokens.verify(parts[0] + "." + parts[1] + ".", at: Self.now) == nil)
        #expect(tokens.verify(text + ".", at: Self.now) == nil)
    }

    @Test("a token of another issuer, a later time or an earlier life is refused")
    func claims() throws {
        let folder = try TemporaryFolder()
        let tokens = try Self.tokens(.edDSA, folder)
        let other = AccessTokens(
            keys: tokens.keys, issuer: "https://b.example", audience: "test", ttl: .seconds(900))
        let (foreign, _) = try Self.issue(other)
        #expect(tokens.verify(foreign, at: Self.now) == nil)
        let (text, _) = try Self.issue(tokens)
        #expect(tokens.verify(text, at: Self.now + .seconds(900)) == nil)
        #expect(tokens.verify(text, at: Self.now - .seconds(60)) != nil)
        #expect(tokens.verify(text, at: Self.now - .seconds(61)) == nil)
    }

    @Test("the key file is its owner's alone, survives a reopening, and publishes no secret")
    func keyFile() throws {
        let folder = try TemporaryFolder()
        let first = try Self.tokens(.edDSA, folder)
        let (text, _) = try Self.issue(first)
        let again = try Self.tokens(.edDSA, folder)
        #expect(again.verify(text, at: Self.now) != nil)
        let published = again.keys.jwks(at: Self.now).encoded
        let file = try SafeFile.read(folder.path + "/EdDSA.json", bytesMax: 1 << 16)
        let secret = try #require(
            try JSONParser.parse(file)["keys"]?.elements.first?["secret"]?.text)
        #expect(!published.contains(secret))
        #expect(!published.contains("\"d\""))
    }

    @Test("changing the algorithm refuses every token of the one before")
    func algorithmChanges() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/keys.json"
        let first = try KeyRing(
            path: path, store: NoStore(), algorithm: .edDSA, tokenTTL: .seconds(900),
            now: Self.now)
        let old = AccessTokens(keys: first, issuer: "i", audience: "a", ttl: .seconds(900))
        let (text, _) = try Self.issue(old)
        let second = try KeyRing(
            path: path, store: NoStore(), algorithm: .es256, tokenTTL: .seconds(900),
            now: Self.now)
        let new = AccessTokens(keys: second, issuer: "i", audience: "a", ttl: .seconds(900))
        #expect(new.verify(text, at: Self.now) == nil)
    }

    /// The token with its claims changed, signed with the right key: the claims alone decide.
    private static func resigned(
        _ text: String, _ tokens: AccessTokens, _ change: (inout [JSON.Member]) -> Void
    ) throws -> String {
        let parts = text.split(separator: ".").map(String.init)
        let claims = try JSONParser.parse(try #require(Base64URL.decode(parts[1].utf8)))
        guard case .object(var members) = claims else { return "" }
        change(&members)
        let message = parts[0] + "." + Base64URL.encode(JSON.object(members).encoded.utf8)
        let signature = try tokens.keys.active(at: Self.now).sign(Array(message.utf8))
        return message + "." + Base64URL.encode(signature)
    }

    @Test("a token without one of its claims, or with a wrong one, is refused")
    func everyClaimCounts() throws {
        let folder = try TemporaryFolder()
        let tokens = try Self.tokens(.edDSA, folder)
        let (text, _) = try Self.issue(tokens)
        let same = try Self.resigned(text, tokens) { _ in }
        #expect(tokens.verify(same, at: Self.now) != nil)
        let later = JSON.integer(Self.now.seconds + 61)
        let wrong: [(String, [JSON])] = [
            ("iss", [.string("https://a.example.org"), .array([.string("https://a.example")])]),
            ("aud", [.string("other"), .string("")]), ("sub", [.string("ann"), .string("")]),
            ("sid", [.string("1"), .integer(1)]), ("jti", [.string(""), .integer(1)]),
            ("iat", [later, .string("0")]), ("exp", [.integer(Self.now.seconds), .string("9")]),
            ("roles", [.array([]), .array([.string("owner")]), .string("admin")]),
            ("token_version", [.string("0")]), ("gen", [.null]),
        ]
        for (name, values) in wrong {
            let lacking = try Self.resigned(text, tokens) { $0.removeAll { $0.name == name } }
            #expect(tokens.verify(lacking, at: Self.now) == nil, "without \(name)")
            for value in values {
                let altered = try Self.resigned(text, tokens) { members in
                    members.removeAll { $0.name == name }
                    members.append(JSON.Member(name, value))
                }
                #expect(tokens.verify(altered, at: Self.now) == nil, "\(name): \(value)")
            }
        }
        let early = try Self.resigned(text, tokens) { $0.append(JSON.Member("nbf", later)) }
        #expect(tokens.verify(early, at: Self.now) == nil)
    }

    @Test("a retired key is trusted until its last token has ended, and not longer")
    func retiredKey() async throws {
        let folder = try TemporaryFolder()
        let store = try SQLiteStore(file: folder.path + "/gatehouse.db")
        defer { store.close() }
        let tokens = try Self.tokens(.edDSA, folder, store: store)
        let (text, _) = try Self.issue(tokens)
        let retired = try tokens.keys.active(at: Self.now).id
        try await tokens.keys.rotate(by: .shell, at: Self.now)
        let last = Self.now + .seconds(959)
        #expect(tokens.verify(text, at: Self.now + .seconds(899)) != nil)
        #expect(tokens.keys.find(retired, at: last) != nil)
        #expect(tokens.keys.jwks(at: last)["keys"]?.elements.count == 2)
        let after = Self.now + .seconds(960)
        #expect(tokens.keys.find(retired, at: after) == nil)
        #expect(tokens.keys.jwks(at: after)["keys"]?.elements.count == 1)
        // However fresh a token of it claims to be.
        let key = try #require(tokens.keys.find(retired, at: last))
        let fresh = try Self.resigned(text, tokens) { members in
            members.removeAll { $0.name == "exp" }
            members.append(JSON.Member("exp", .integer(Self.now.seconds + 9000)))
        }
        let message = fresh.split(separator: ".").dropLast().joined(separator: ".")
        let signature = Base64URL.encode(try key.sign(Array(message.utf8)))
        #expect(tokens.verify(message + "." + signature, at: last) != nil)
        #expect(tokens.verify(message + "." + signature, at: after) == nil)
    }
}
