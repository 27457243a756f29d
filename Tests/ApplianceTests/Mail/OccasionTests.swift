import Domain
import Support
import Testing

@testable import Appliance

@Suite("Occasions as their jobs keep them")
struct OccasionTests {
    @Test("each reads back as it was written", arguments: 0..<13)
    func roundTrip(_ index: Int) throws {
        let seal = try MailSeal(directory: TemporaryFolder().path)
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
        let seal = try MailSeal(directory: folder.path)
        let occasion = Occasion.reset(token: Secret("a token that nobody may read"))
        let json = try occasion.json(seal)
        #expect(!json.encoded.contains("nobody"))
        // The key is in a file: the next start has it.
        #expect(Occasion(json: json, try MailSeal(directory: folder.path)) == occasion)
        #expect(Occasion(json: json, try MailSeal(directory: TemporaryFolder().path)) == nil)
    }

    @Test("a key file that is none is refused, and left as it is")
    func noKey() throws {
        let folder = try TemporaryFolder()
        try SafeFile.write(Array("short".utf8), to: folder.path + "/mail-key")
        #expect(throws: SafeFile.Failure.self) { try MailSeal(directory: folder.path) }
        #expect(SafeFile.size(folder.path + "/mail-key") == 5)
    }

    @Test(
        "what nobody has written is none",
        arguments: [
            #"{}"#, #"{"name":"nonsense"}"#, #"{"name":"reset"}"#,
            #"{"name":"reset","token":"made up"}"#, #"{"name":"quota_near","metric":"a"}"#,
        ])
    func unknown(_ text: String) throws {
        let seal = try MailSeal(directory: TemporaryFolder().path)
        #expect(Occasion(json: try JSONParser.parse(Array(text.utf8)), seal) == nil)
    }
}
