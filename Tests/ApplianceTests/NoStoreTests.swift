import Domain
import Store
import Support
import Testing

@testable import Appliance

@Suite("Without the store")
struct NoStoreTests {
    private static let now = Timestamp("2026-11-23T12:00:00.000Z") ?? .epoch

    private let folder: TemporaryFolder
    private let store = NoStore()
    private let tokens: AccessTokens
    private let authenticator: Authenticator

    init() throws {
        folder = try TemporaryFolder()
        let ring = try KeyRing(
            path: folder.path + "/keys.json", store: store, algorithm: .edDSA,
            tokenTTL: .seconds(900), now: Self.now)
        tokens = AccessTokens(keys: ring, issuer: "i", audience: "a", ttl: .seconds(900))
        authenticator = Authenticator(store: store, tokens: tokens, customersMax: 100)
    }

    /// Why the credential was refused; nil when it was not.
    private func refusal(of credential: Credential) async -> Problem.Code? {
        do throws(Problem) {
            _ = try await authenticator.caller(credential, at: Self.now, address: { nil })
            return nil
        } catch {
            return error.code
        }
    }

    @Test("a key that is junk is refused without a look at the store")
    func junkKeys() async throws {
        var random = SplitMix64(seed: 0x4B32)
        for _ in 0..<200 {
            var bytes = Array(APIKeyText.random(using: &random).text.utf8)
            let place = Int(random.int(0...Int64(bytes.count - 1)))
            bytes[place] =
                bytes[place] == UInt8(ascii: "x") ? UInt8(ascii: "y") : UInt8(ascii: "x")
            let junk = String(decoding: bytes, as: UTF8.self)
            #expect(await refusal(of: .apiKey(junk)) == .unauthorized, "\(junk)")
        }
        for junk in ["", "gh_", "x", "gh_" + String(repeating: "0", count: 50)] {
            #expect(await refusal(of: .apiKey(junk)) == .unauthorized, "\(junk)")
        }
        #expect(store.asked == 0)
    }

    @Test("a token that is junk is refused without a look at the store")
    func junkTokens() async throws {
        for junk in ["x", "a.b.c", "eyJhbGciOiJub25lIn0.e30.", String(repeating: "x", count: 9000)]
        {
            #expect(await refusal(of: Credential(bearer: junk)) == .unauthorized, "\(junk)")
        }
        #expect(store.asked == 0)
    }

    @Test("nobody who has to be looked up gets in")
    func nobodyGetsIn() async throws {
        var random = SystemRandomNumberGenerator()
        let key = APIKeyText.random(using: &random)
        #expect(await refusal(of: .apiKey(key.text)) == .unavailable)
        let account = Account(
            id: ID(at: Self.now, using: &random), email: EmailAddress(canonical: "a@example.com"),
            name: nil, role: .admin, createdAt: Self.now, updatedAt: Self.now)
        let token = try tokens.issue(
            account: account, session: ID(at: Self.now, using: &random), generation: 1,
            at: Self.now)
        #expect(await refusal(of: Credential(bearer: token)) == .unavailable)
        #expect(store.asked == 2)
    }

    @Test("nobody whose plan and counts are not in memory is let through")
    func nothingIsGranted() async throws {
        let gatekeeper = Gatekeeper(
            stored: StoredCustomers(store: store),
            journal: Journal(file: try CounterFile(path: folder.path + "/counters")),
            customersMax: 100, didSettle: { _ in })
        var random = SystemRandomNumberGenerator()
        var review = Review()
        var refusal: Problem.Code?
        do throws(Problem) {
            _ = try await gatekeeper.admit(
                ID(at: Self.now, using: &random), Demand(metric: Demand.requests), at: Self.now,
                &review)
        } catch {
            refusal = error.code
        }
        #expect(refusal == .unavailable)
    }
}
