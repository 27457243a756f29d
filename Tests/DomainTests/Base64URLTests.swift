import Domain
import Support
import Testing

@Suite("Base64URL")
struct Base64URLTests {
    @Test(
        "The vectors of RFC 4648 hold, without padding",
        arguments: [
            ("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg"),
            ("fooba", "Zm9vYmE"), ("foobar", "Zm9vYmFy"),
        ])
    func vectors(plain: String, text: String) {
        #expect(Base64URL.encode(plain.utf8) == text)
        #expect(Base64URL.decode(text.utf8) == Array(plain.utf8))
    }

    @Test("The last two digits are the URL-safe ones")
    func alphabet() {
        #expect(Base64URL.encode([0xFB, 0xFF]) == "-_8")
        #expect(Base64URL.decode("-_8".utf8) == [0xFB, 0xFF])
    }

    @Test(
        "Padding, other alphabets and bits left over are refused",
        arguments: [
            "Zg==", "Zm8=", "Zm9v=", "=", "+_8", "-/8", "Z", "Zm9vY", "Zh", "Zm9", "Zg ", "Z\ng",
            "-_9", "Zé",
        ])
    func bad(text: String) {
        #expect(Base64URL.decode(text.utf8) == nil)
    }

    @Test("Any bytes come back from their text, and no other text means them")
    func roundTrip() {
        var random = SplitMix64(seed: 64)
        for length in 0..<200 {
            let bytes = (0..<length).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            let text = Base64URL.encode(bytes)
            #expect(text.utf8.count == (length * 8 + 5) / 6)
            #expect(Base64URL.decode(text.utf8) == bytes)
            for _ in 0..<5 where length > 0 {
                var other = Array(text.utf8)
                other[Int(random.int(0...Int64(other.count - 1)))] = random.pick(
                    Array("ABCyz059-_".utf8))
                #expect(other == Array(text.utf8) || Base64URL.decode(other) != bytes)
            }
        }
    }
}
