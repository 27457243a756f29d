import Domain
import Support
import Testing

@Suite("APIKey")
struct APIKeyTests {
    @Test("A new key has the contract's form, and its text leads back to its parts")
    func form() throws {
        var random = SplitMix64(seed: 1)
        for _ in 0..<500 {
            let key = APIKeyText.random(using: &random)
            let text = key.text
            #expect(text.hasPrefix("gh_"))
            #expect(APIKeyText.hasPrefix(text[...]))
            #expect(text.utf8.count == 53)
            #expect(text.utf8.dropFirst(3).allSatisfy(Base62.isDigit))
            let read = try #require(APIKeyText(text))
            #expect(read.publicID == key.publicID)
            #expect(read.secret == key.secret)
            #expect(key.lastFour == text.suffix(4))
            #expect(APIKeyText.shownPrefix(publicID: key.publicID) == text.prefix(15))
        }
    }

    @Test("The checksum is CRC-32 over what stands before it")
    func checksum() {
        var random = SplitMix64(seed: 2)
        let text = APIKeyText.random(using: &random).text
        let crc = CRC32.checksum(Array(text.dropLast(6).utf8))
        #expect(Array(text.utf8.suffix(6)) == Base62.sixDigits(crc))
    }

    @Test("A key with any one character changed is refused")
    func oneCharacter() {
        var random = SplitMix64(seed: 3)
        let text = Array(APIKeyText.random(using: &random).text.utf8)
        for place in text.indices {
            for other in Array("0Zaz_-é".utf8) where other != text[place] {
                var changed = text
                changed[place] = other
                #expect(APIKeyText(String(decoding: changed, as: UTF8.self)) == nil)
            }
        }
    }

    @Test("A secret's bytes are those of the same secret and of no other")
    func secretBytes() throws {
        var random = SplitMix64(seed: 7)
        let key = APIKeyText.random(using: &random)
        #expect(try #require(APIKeyText(key.text)).secretBytes == key.secretBytes)
        let body = Array(key.text.utf8.dropLast(6))
        for place in (body.count - 32)..<body.count {
            var changed = body
            changed[place] = UInt8(ascii: changed[place] == UInt8(ascii: "0") ? "1" : "0")
            changed += Base62.sixDigits(CRC32.checksum(changed))
            let other = try #require(APIKeyText(String(decoding: changed, as: UTF8.self)))
            #expect(!(other.secretBytes == key.secretBytes))
        }
    }

    @Test("Two neighbours that changed places are refused")
    func swapped() {
        var random = SplitMix64(seed: 4)
        let text = Array(APIKeyText.random(using: &random).text.utf8)
        for place in 0..<(text.count - 1) where text[place] != text[place + 1] {
            var changed = text
            changed.swapAt(place, place + 1)
            #expect(APIKeyText(String(decoding: changed, as: UTF8.self)) == nil)
        }
    }

    @Test("A text that is cut, longer, or in other characters with a right checksum is refused")
    func otherForms() {
        var random = SplitMix64(seed: 5)
        let key = APIKeyText.random(using: &random)
        #expect(APIKeyText(String(key.text.dropLast())) == nil)
        #expect(APIKeyText(key.text + "0") == nil)
        #expect(APIKeyText(" " + key.text) == nil)
        #expect(APIKeyText("") == nil)
        let body = "gh_" + key.publicID + key.secret.dropLast() + "-"
        let sum = String(
            decoding: Base62.sixDigits(CRC32.checksum(Array(body.utf8))), as: UTF8.self)
        #expect(APIKeyText(body + sum) == nil)
    }

    @Test("A key lives until the moment it is revoked or ends")
    func life() {
        var random = SplitMix64(seed: 6)
        let now = Timestamp(milliseconds: 1_000_000)
        var key = APIKey(
            id: ID(at: now, using: &random), userID: ID(at: now, using: &random), name: "k",
            publicID: "p", lastFour: "abcd", secretHash: [], scopes: [.gate], createdAt: now)
        #expect(key.isLive(at: now))
        key.expiresAt = now + .seconds(1)
        #expect(key.isLive(at: now + .milliseconds(999)))
        #expect(!key.isLive(at: now + .seconds(1)))
        key.revokedAt = now
        #expect(!key.isLive(at: now))
    }

    @Test("Only an admin's key can have the admin scopes, and support can read")
    func scopes() {
        #expect(!Scopes.available(to: .user).contains(.adminRead))
        #expect(!Scopes.available(to: .user).contains(.adminWrite))
        #expect(Scopes.available(to: .support).contains(.adminRead))
        #expect(!Scopes.available(to: .support).contains(.adminWrite))
        #expect(Scopes.available(to: .admin) == Scopes(Scope.allCases))
    }

    @Test("The scopes are the contract's words")
    func words() {
        #expect(
            Set(Scope.allCases.map(\.rawValue)) == [
                "items:read", "items:write", "gate", "usage:read", "usage:write", "reservations",
                "leases", "tokens:introspect", "admin:read", "admin:write",
            ])
    }
}
