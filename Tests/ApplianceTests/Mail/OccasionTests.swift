import Domain
import Support
import Testing

@testable import Appliance

@Suite("Occasions as their jobs keep them")
struct OccasionTests {
    private static func seal(in folder: TemporaryFolder) throws -> MailSeal {
        let now = Timestamp(milliseconds: 1_795_435_200_000)
        return MailSeal(keys: try SealingKeys(path: folder.path + "/sealing-keys.json", now: now))
    }

    @Test("each reads back as it was written", arguments: 0..<13)
    func roundTrip(_ index: Int) throws {
        let seal = try Self.seal(in: TemporaryFolder())
        let occasion = MailFixtures.occasions[index]
        let json = try JSONParser.parse(Array(try occasion.json(seal).encoded.utf8))
        #expect(Occasion(json: json, seal) == occasion)
        let order = MailOrder(to: EmailAddress(canonical: "a@example.org"), about: json)
        let read = try #require(MailOrder(json: order.json))
        #expect(read.recipient == order.recipient && read.about == json)
    }

    @Test("the token of a link is not in it, and opens with its key alone")
    func sealed() throws {
        let folder = try TemporaryFolder()
        let seal = try Self.seal(in: folder)
        let occasion = Occasion.reset(token: Secret("a token that nobody may read"))
        let json = try occasion.json(seal)
        #expect(!json.encoded.contains("nobody"))
        // The key is in a file: the next start has it.
        #expect(Occasion(json: json, try Self.seal(in: folder)) == occasion)
        #expect(Occasion(json: json, try Self.seal(in: TemporaryFolder())) == nil)
    }

    @Test("what was sealed with the same key for another purpose is no token")
    func otherPurpose() throws {
        let seal = try Self.seal(in: TemporaryFolder())
        let other = Base64URL.encode(try seal.keys.seal([1, 2, 3], context: "totp a"))
        #expect(seal.open(other) == nil)
        #expect(seal.open(try seal.seal(Secret("a"))) == Secret("a"))
    }

    @Test(
        "what nobody has written is none",
        arguments: [
            #"{}"#, #"{"name":"nonsense"}"#, #"{"name":"reset"}"#,
            #"{"name":"reset","token":"made up"}"#, #"{"name":"quota_near","metric":"a"}"#,
        ])
    func unknown(_ text: String) throws {
        let seal = try Self.seal(in: TemporaryFolder())
        #expect(Occasion(json: try JSONParser.parse(Array(text.utf8)), seal) == nil)
    }
}
