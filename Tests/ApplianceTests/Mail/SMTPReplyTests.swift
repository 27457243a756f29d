import Support
import Testing

@testable import Appliance

@Suite("Replies of a mail server")
struct SMTPReplyTests {
    private static func replies(_ text: String) throws -> [SMTPReply] {
        var parser = SMTPReplyParser()
        parser.append(text.utf8)
        var found: [SMTPReply] = []
        while let reply = try parser.next() { found.append(reply) }
        return found
    }

    @Test("a reply has one line or many, and a code with nothing behind it")
    func whole() throws {
        #expect(
            try Self.replies("250-a.example\r\n250-SIZE 9\r\n250 HELP\r\n221\r\n354-\r\n354 go\r\n")
                == [
                    SMTPReply(code: 250, lines: ["a.example", "SIZE 9", "HELP"]),
                    SMTPReply(code: 221, lines: [""]), SMTPReply(code: 354, lines: ["", "go"]),
                ])
    }

    @Test("however the bytes are cut, the replies are the same")
    func split() throws {
        let text =
            "220 a ESMTP\r\n250-a\r\n250-AUTH PLAIN LOGIN\r\n250 8BITMIME\r\n550 5.1.1 no\r\n"
        let whole = try Self.replies(text)
        var random = SplitMix64(seed: 7)
        for _ in 0..<200 {
            var parser = SMTPReplyParser()
            var found: [SMTPReply] = []
            var rest = Array(text.utf8)[...]
            while !rest.isEmpty {
                let count = Int.random(in: 1...7, using: &random)
                parser.append(rest.prefix(count))
                rest = rest.dropFirst(count)
                while let reply = try parser.next() { found.append(reply) }
            }
            #expect(found == whole && parser.isEmpty)
        }
    }

    @Test(
        "what could be read in two ways is refused",
        arguments: [
            "250 a\n", "250 a\rb\r\n", "250 a\n250 b\r\n", "\r\n", "25 a\r\n", "2500\r\n",
            "250_a\r\n", "950 a\r\n", "050 a\r\n", "290 a\r\n", "250-a\r\n550 b\r\n",
            "٢٥٠ a\r\n", "<html>\r\n", "HTTP/1.1 400 Bad Request\r\n",
        ])
    func refused(_ text: String) {
        #expect(throws: SMTPReplyParser.Failure.self) { try Self.replies(text) }
    }

    @Test("a line and a reply have a longest length, also when no end comes")
    func bounds() throws {
        let long = String(repeating: "x", count: SMTPReplyParser.lineBytesMax)
        #expect(throws: SMTPReplyParser.Failure.self) { try Self.replies("250 \(long)\r\n") }
        #expect(throws: SMTPReplyParser.Failure.self) { try Self.replies("250 \(long)") }
        let many = String(repeating: "250-x\r\n", count: SMTPReplyParser.linesMax + 1)
        #expect(throws: SMTPReplyParser.Failure.self) { try Self.replies(many) }
    }

    @Test("what a server says is shown in one line of visible characters")
    func summary() {
        let long = String(repeating: "ü", count: 900)
        let reply = SMTPReply(code: 550, lines: ["5.1.1 \u{1B}[2Jno", long])
        #expect(reply.summary.hasPrefix("550 5.1.1 ?[2Jno ???"))
        #expect(reply.summary.count == 200)
    }
}
