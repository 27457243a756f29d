import Domain
import Support
import Testing

@Suite("One-time codes")
struct TOTPTests {
    /// RFC 4226, appendix D: HMAC-SHA-1 of the counters 0 to 9 under "12345678901234567890".
    private static let hashes = [
        "cc93cf18508d94934c64b65d8ba7667fb7cde4b0", "75a48a19d4cbe100644e8ac1397eea747a2d33ab",
        "0bacb7fa082fef30782211938bc1c5e70416ff44", "66c28227d03a2d5529262ff016a1e6ef76557ece",
        "a904c900a64b35909874b33e61c5938a8e15ed1c", "a37e783d7b7233c083d4f62926c7a25f238d0316",
        "bc9cd28561042c83f219324d3c607256c03272ae", "a4fb960c0bc06e1eabb804e5b397cdc4b45596fa",
        "1b3c89f65e6c9e883012052823443f048b4332db", "1637409809a679dc698207310c8c7fc07290d9e5",
    ]

    private static let codes = [
        "755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871",
        "520489",
    ]

    private static func mac(_ counter: [UInt8]) -> [UInt8] {
        let step = counter.reduce(0) { $0 << 8 | Int($1) }
        guard hashes.indices.contains(step) else { return [UInt8](repeating: 0, count: 20) }
        let digits = Array(hashes[step])
        return stride(from: 0, to: 40, by: 2).compactMap {
            UInt8(String(digits[$0...$0 + 1]), radix: 16)
        }
    }

    private static func moment(step: Int64, _ seconds: Int64 = 0) -> Timestamp {
        Timestamp(milliseconds: (step * 30 + seconds) * 1000)
    }

    @Test("The vectors of RFC 4226 hold", arguments: Array(codes.enumerated()).map { ($0, $1) })
    func vectors(step: Int, code: String) {
        #expect(TOTP.code(of: Int64(step), mac: Self.mac) == code)
    }

    @Test("A step is 30 s of time, also before 1970")
    func steps() {
        #expect(TOTP.step(at: Self.moment(step: 7)) == 7)
        #expect(TOTP.step(at: Self.moment(step: 7, 29)) == 7)
        #expect(TOTP.step(at: Self.moment(step: 8)) == 8)
        #expect(TOTP.step(at: Self.moment(step: 0, -1)) == -1)
    }

    @Test("A code is right in its step, the one before and the one after", arguments: 2...8)
    func skew(present: Int64) {
        for (step, code) in Self.codes.enumerated() {
            let found = TOTP.match(
                code, at: Self.moment(step: present, 15), after: 0, mac: Self.mac)
            #expect(found == (abs(Int64(step) - present) <= 1 && step > 0 ? Int64(step) : nil))
        }
    }

    @Test("A code of the last accepted step, or of one before, is right no more")
    func once() {
        let now = Self.moment(step: 5)
        func match(_ step: Int, after last: Int64) -> Int64? {
            TOTP.match(Self.codes[step], at: now, after: last, mac: Self.mac)
        }
        #expect(match(5, after: 4) == 5)
        #expect(match(5, after: 5) == nil)
        #expect(match(4, after: 5) == nil)
        #expect(match(6, after: 5) == 6)
    }

    @Test("What is no code is not right", arguments: ["", "28708", "2870822", "28708a", "２87082"])
    func other(text: String) {
        #expect(TOTP.match(text, at: Self.moment(step: 1), after: 0, mac: Self.mac) == nil)
    }

    @Test("An app finds what it needs in the URI, and nothing breaks out of its place")
    func uri() {
        let email = EmailAddress(canonical: "a+b%&@example.com")
        let uri = TOTP.uri(
            secret: Array("12345678901234567890".utf8), account: email, issuer: "id & co")
        #expect(
            uri == "otpauth://totp/id%20%26%20co:a%2Bb%25%26@example.com"
                + "?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=id%20%26%20co"
                + "&algorithm=SHA1&digits=6&period=30")
    }
}

@Suite("Base32")
struct Base32Tests {
    @Test(
        "The vectors of RFC 4648 hold, without padding",
        arguments: [
            ("", ""), ("f", "MY"), ("fo", "MZXQ"), ("foo", "MZXW6"), ("foob", "MZXW6YQ"),
            ("fooba", "MZXW6YTB"), ("foobar", "MZXW6YTBOI"),
        ])
    func vectors(plain: String, text: String) {
        #expect(Base32.encode(plain.utf8) == text)
    }
}

@Suite("Recovery codes")
struct RecoveryCodeTests {
    @Test("One reads back as it is shown, and as people type it")
    func spellings() {
        var random = SplitMix64(seed: 1)
        for _ in 0..<200 {
            let code = RecoveryCode(using: &random)
            #expect(code.text.count == 19)
            let typed = code.text.lowercased().map { digit in
                ["o": "0", "i": "1", "b": "8"][digit] ?? digit
            }
            #expect(RecoveryCode(typed: code.text) == code)
            #expect(RecoveryCode(typed: " \(String(typed)) ") == code)
            #expect(OneTimeCode(typed: code.digits) == .recovery(code))
        }
    }

    @Test(
        "What is neither a code of an app nor a recovery code is nothing",
        arguments: ["", "12345", "1234567", "AAAA-AAAA-AAAA-AAA", "AAAA-AAAA-AAAA-AAA9", "é"])
    func neither(text: String) {
        #expect(OneTimeCode(typed: text) == nil)
    }

    @Test("Six digits are an app's code, with the space that apps show")
    func digits() {
        #expect(OneTimeCode(typed: "123 456") == .totp("123456"))
        #expect(OneTimeCode(typed: "000000") == .totp("000000"))
    }
}
