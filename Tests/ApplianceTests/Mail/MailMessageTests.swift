import Domain
import Testing

@testable import Appliance

@Suite("Mails on the wire")
struct MailMessageTests {
    private static func text(_ message: MailMessage) -> String {
        String(decoding: message.bytes, as: UTF8.self)
    }

    @Test("every byte is 7-bit, every line ends in CRLF and is short")
    func lines() throws {
        for occasion in MailFixtures.occasions {
            let message = try MailFixtures.message(occasion, from: "Zürich öffnet <id@example.com>")
            #expect(message.bytes.allSatisfy { $0 < 0x80 && $0 != 0 })
            var before: UInt8 = 0
            var column = 0
            for byte in message.bytes {
                #expect((byte == 10) == (before == 13))
                column = byte == 10 ? 0 : column + 1
                #expect(column <= 79)
                before = byte
            }
        }
    }

    @Test("it has the headers that a mail of a machine should have")
    func headers() throws {
        let text = Self.text(try MailFixtures.message())
        for header in [
            "From: \"Acme\" <id@example.com>", "To: ann@example.org",
            "Subject: Your password was changed", "Date: Wed, 18 Nov 2026 11:06:40 +0000",
            "Message-ID: <0192f0c1@id.example.com>", "MIME-Version: 1.0",
            "Auto-Submitted: auto-generated", "Content-Language: en",
        ] {
            #expect(text.contains("\(header)\r\n"), "\(header)")
        }
        #expect(!text.contains("List-Unsubscribe"))
    }

    @Test("made again of the same values it is the same mail")
    func stable() throws {
        #expect(try MailFixtures.message().bytes == MailFixtures.message().bytes)
    }

    @Test(
        "a header is refused that something would end",
        arguments: ["a\r\nBcc: b@example.org", "a\nb", "a\rb", "a\0b", "a\u{2028}b", "\u{85}"])
    func injection(_ text: String) throws {
        #expect(throws: Problem.self) { try MailMessage.words(text) }
        #expect(MailSender("\(text) <id@example.com>") == nil)
        let letter = Letter(language: .english, subject: text, parts: [], footer: "")
        let sender = try #require(MailSender("id@example.com"))
        #expect(throws: Problem.self) {
            try MailMessage(
                letter, from: sender, to: EmailAddress(canonical: "a@example.org"), id: "1",
                host: "example.com", at: MailFixtures.moment)
        }
    }

    @Test("an address with a line end in it is no header either")
    func addressInjection() {
        #expect(throws: Problem.self) {
            try MailFixtures.message(to: "a@example.org\r\nBcc: b@example.org")
        }
    }

    @Test("words beyond ASCII are encoded, in parts that fit a line and split no character")
    func encodedWords() throws {
        let encoded = try MailMessage.words("Mật khẩu của bạn đã được thay đổi ở một nơi khác rồi")
        // "\r\n" is one character to Swift, so the lines are parted by it.
        let words = encoded.split(separator: "\r\n").map { $0.drop { $0 == " " } }
        #expect(words.count > 1)
        for word in words {
            #expect(word.hasPrefix("=?utf-8?B?") && word.hasSuffix("?=") && word.count <= 75)
        }
        #expect(try MailMessage.words("plain words") == "plain words")
        // It would be read as an encoded word otherwise.
        #expect(try MailMessage.words("=?x?=").hasPrefix("=?utf-8?B?"))
    }

    @Test(
        "who mails are from",
        arguments: [
            ("Gatehouse <gatehouse@localhost>", "Gatehouse", "gatehouse@localhost", false),
            ("id@example.com", "", "id@example.com", true),
            ("\"Acme, Inc.\" <ID@Example.com>", "Acme, Inc.", "id@example.com", true),
        ])
    func senders(_ text: String, _ name: String, _ address: String, _ isWorldWide: Bool) throws {
        let sender = try #require(MailSender(text))
        #expect(sender.name == name && sender.address == address)
        #expect(sender.isWorldWide == isWorldWide)
    }

    @Test(
        "what is no sender",
        arguments: ["", "Acme", "a@b", "<a@example.com", "A <b> <c@example.com>", "a\"b <a@b.cd>"])
    func noSenders(_ text: String) { #expect(MailSender(text) == nil) }
}

@Suite("Quoted-printable")
struct QuotedPrintableTests {
    private static func encode(_ text: String) -> String {
        String(decoding: QuotedPrintable.encode(text), as: UTF8.self)
    }

    @Test(
        "what mail servers alter is encoded",
        arguments: [
            ("plain\n", "plain\r\n"), ("a=b\n", "a=3Db\r\n"), ("é\n", "=C3=A9\r\n"),
            ("end \n", "end=20\r\n"), ("\t\n", "=09\r\n"), (".\n..a\n", "=2E\r\n=2E.a\r\n"),
            ("From me\n", "=46rom me\r\n"), ("\n\n", "\r\n\r\n"), ("no end", "no end\r\n"),
            ("a\rb\n", "a=0Db\r\n"),
        ])
    func encoded(_ text: String, _ expected: String) {
        #expect(Self.encode(text) == expected)
    }

    @Test("a long line is continued before its 76th column and reads back whole")
    func long() {
        for length in 70...160 {
            let text = String(repeating: "ä.xF", count: length)
            let encoded = Self.encode(text)
            for line in encoded.split(separator: "\r\n") {
                #expect(line.count <= 76 && !line.hasPrefix(".") && !line.hasPrefix("F"))
            }
            #expect(QuotedPrintableText.decode(encoded) == text + "\r\n")
        }
    }

    @Test(
        "base 64 has its padding",
        arguments: [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("\u{3FF}>", "z78+")])
    func base64(_ text: String, _ expected: String) {
        #expect(Base64.encode(text.utf8) == expected)
    }
}
