import Domain
import Support
import Testing

@testable import Appliance

@Suite("Sealing")
struct SealingTests {
    private static let now = Timestamp(milliseconds: 1_795_435_200_000)

    @Test("What was sealed opens after a restart")
    func opens() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/sealing-keys.json"
        let first = try SealingKeys(path: path, now: Self.now)
        let sealed = try first.seal([1, 2, 3], context: "totp a")
        let second = try SealingKeys(path: path, now: Self.now)
        #expect(try second.open(sealed, context: "totp a") == [1, 2, 3])
    }

    @Test("In another's place, changed or under another key it does not open")
    func refuses() throws {
        let folder = try TemporaryFolder()
        let keys = try SealingKeys(path: folder.path + "/a", now: Self.now)
        let others = try SealingKeys(path: folder.path + "/b", now: Self.now)
        let sealed = try keys.seal([1, 2, 3], context: "totp a")
        #expect(throws: Problem.self) { try keys.open(sealed, context: "totp b") }
        #expect(throws: Problem.self) { try others.open(sealed, context: "totp a") }
        #expect(throws: Problem.self) { try keys.open([], context: "totp a") }
        for index in sealed.indices {
            var changed = sealed
            changed[index] ^= 1
            #expect(throws: Problem.self) { try keys.open(changed, context: "totp a") }
        }
    }

    @Test("The same sealed twice does not look the same")
    func nonce() throws {
        let folder = try TemporaryFolder()
        let keys = try SealingKeys(path: folder.path + "/a", now: Self.now)
        #expect(try keys.seal([1], context: "a") != keys.seal([1], context: "a"))
    }

    @Test(
        "A file that is no key file stops the start",
        arguments: ["", "{}", "{\"keys\":[]}", "{\"keys\":[{}]}"])
    func damaged(text: String) throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/a"
        try SafeFile.write(Array(text.utf8), to: path)
        #expect(throws: Problem.self) { try SealingKeys(path: path, now: Self.now) }
    }

    @Test("A file that somebody else is to put there is not made")
    func given() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/a"
        #expect(throws: Problem.self) { try SealingKeys(path: path) }
        #expect(!SafeFile.exists(path))
        try SealingKeys.make(path, at: Self.now)
        let sealed = try SealingKeys(path: path).seal([1], context: "a")
        let again = try SealingKeys(path: path, now: Self.now)
        #expect(again.opens(sealed, context: "a"))
        #expect(!again.opens(sealed, context: "b"))
    }

    @Test(
        "The vectors of RFC 6238 hold, in their last six digits",
        arguments: [
            (59, "287082"), (1_111_111_109, "081804"), (1_111_111_111, "050471"),
            (1_234_567_890, "005924"), (2_000_000_000, "279037"), (20_000_000_000, "353130"),
        ])
    func totp(seconds: Int64, code: String) {
        let mac = TOTP.mac(Array("12345678901234567890".utf8))
        let now = Timestamp(milliseconds: seconds * 1000)
        #expect(TOTP.code(of: TOTP.step(at: now), mac: mac) == code)
    }
}
