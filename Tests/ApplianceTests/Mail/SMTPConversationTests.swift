import Domain
import Testing

@testable import Appliance

/// A conversation and what it has done so far.
private struct Talk {
    private var conversation: SMTPConversation
    private(set) var actions: [SMTPConversation.Action] = []

    init(_ security: Configuration.SMTP.Security = .none, user: String? = nil) throws {
        conversation = SMTPConversation(
            try MailFixtures.message(),
            SMTPConversation.Setting(
                security: security,
                credentials: user.map {
                    SMTPConversation.Credentials(user: $0, password: Secret("pass word"))
                }, greeting: "id.example.com"))
    }

    /// Greeted, and told the extensions.
    init(
        _ security: Configuration.SMTP.Security = .none, user: String? = nil, hello: String
    ) throws {
        try self.init(security, user: user)
        _ = hear("220 a\r\n")
        _ = hear(hello)
    }

    /// What is done in answer to one piece of bytes.
    mutating func hear(_ text: String) -> [String] { note(conversation.received(text.utf8)) }

    mutating func secure() -> [String] { note(conversation.didSecure()) }

    mutating func lose() -> [String] { note(conversation.lost("gone")) }

    var awaitsVerdict: Bool { conversation.awaitsVerdict }

    private mutating func note(_ new: [SMTPConversation.Action]) -> [String] {
        actions += new
        return new.map { action in
            switch action {
            case .send(let bytes):
                bytes.count > 600 ? "mail" : String(decoding: bytes.dropLast(2), as: UTF8.self)
            case .secure: "secure"
            case .delivered: "delivered"
            case .failed(.later): "later"
            case .failed(.never): "never"
            case .close: "close"
            }
        }
    }

    var reason: String {
        for case .failed(.later(let reason)) in actions { return reason }
        for case .failed(.never(let reason)) in actions { return reason }
        return ""
    }
}

@Suite("Handing a mail over")
struct SMTPConversationTests {
    private static let ok = "250 2.0.0 ok\r\n"

    @Test("without TLS or a sign-in: greeting, sender, recipient, mail, goodbye")
    func plain() throws {
        var talk = try Talk()
        #expect(talk.hear("220 mx.example ESMTP\r\n") == ["EHLO id.example.com"])
        #expect(talk.hear("250 mx.example\r\n") == ["MAIL FROM:<id@example.com>"])
        #expect(talk.hear(Self.ok) == ["RCPT TO:<ann@example.org>"])
        #expect(talk.hear(Self.ok) == ["DATA"])
        #expect(!talk.awaitsVerdict)
        #expect(talk.hear("354 go ahead\r\n") == ["mail"])
        #expect(talk.awaitsVerdict)
        #expect(talk.hear(Self.ok) == ["delivered", "QUIT"])
        #expect(talk.hear("221 bye\r\n") == ["close"])
        #expect(talk.hear("250 more\r\n") == [])
        #expect(talk.lose() == ["close"])
    }

    @Test("the size is told to a server that asks, and one that takes less gets nothing")
    func size() throws {
        let bytes = try MailFixtures.message().bytes.count
        for offer in ["SIZE 10000000", "size", "SIZE 0"] {
            var talk = try Talk()
            _ = talk.hear("220 a\r\n")
            #expect(
                talk.hear("250-a\r\n250 \(offer)\r\n")
                    == ["MAIL FROM:<id@example.com> SIZE=\(bytes)"])
        }
        var small = try Talk()
        _ = small.hear("220 a\r\n")
        #expect(small.hear("250-a\r\n250 SIZE 1000\r\n") == ["never", "close"])
    }

    @Test("with STARTTLS everything but that waits for TLS, and EHLO is said again")
    func startTLS() throws {
        var talk = try Talk(.startTLS, user: "ann")
        _ = talk.hear("220 a\r\n")
        #expect(talk.hear("250-a\r\n250-AUTH PLAIN\r\n250 STARTTLS\r\n") == ["STARTTLS"])
        #expect(talk.hear("220 go\r\n") == ["secure"])
        #expect(talk.secure() == ["EHLO id.example.com"])
        // What was offered in the clear is forgotten.
        #expect(talk.hear("250 a\r\n") == ["later", "close"])
        #expect(talk.reason.contains("neither AUTH PLAIN nor AUTH LOGIN"))
    }

    @Test(
        "a server without STARTTLS, or one that takes it back, gets neither mail nor password",
        arguments: ["250 a\r\n", "250-a\r\n250-AUTH PLAIN\r\n250 SIZE 1\r\n"])
    func stripped(_ hello: String) throws {
        var talk = try Talk(.startTLS, user: "ann")
        _ = talk.hear("220 a\r\n")
        #expect(talk.hear(hello) == ["later", "close"])
        var refusing = try Talk(.startTLS, user: "ann", hello: "250-a\r\n250 STARTTLS\r\n")
        #expect(refusing.hear("454 TLS not available\r\n") == ["later", "close"])
    }

    @Test("what is said before TLS is never heard as if it had come through it")
    func injected() throws {
        for injection in ["250-a\r\n250 AUTH PLAIN\r\n", "2", "\u{16}"] {
            var talk = try Talk(.startTLS, user: "ann", hello: "250-a\r\n250 STARTTLS\r\n")
            #expect(talk.hear("220 go\r\n" + injection) == ["later", "close"])
            #expect(talk.secure() == [])
            #expect(talk.hear("250 a\r\n") == [])
        }
    }

    @Test("bytes that come while TLS begins end it, whole replies and parts")
    func beforeTLS() throws {
        var whole = try Talk(.startTLS, hello: "250-a\r\n250 STARTTLS\r\n")
        #expect(whole.hear("220 go\r\n") == ["secure"])
        #expect(whole.hear("250 a\r\n") == ["later", "close"])
        #expect(whole.secure() == [])
        var part = try Talk(.startTLS, hello: "250-a\r\n250 STARTTLS\r\n")
        #expect(part.hear("220 go\r\n") == ["secure"])
        #expect(part.hear("250-a") == [])
        #expect(part.secure() == ["later", "close"])
    }

    @Test("a second reply that nobody asked for ends it, wherever it comes")
    func outOfTurn() throws {
        var greeting = try Talk()
        #expect(greeting.hear("220 a\r\n250 a\r\n") == ["later", "close"])
        var middle = try Talk(hello: "250 a\r\n")
        #expect(middle.hear("250 ok\r\n250 ok\r\n354 go\r\n250 queued\r\n") == ["later", "close"])
        #expect(!middle.actions.contains(.delivered))
    }

    @Test("AUTH PLAIN comes before AUTH LOGIN, and both say who and with what")
    func signIn() throws {
        var plain = try Talk(.tls, user: "ann")
        _ = plain.hear("220 a\r\n")
        let pair = Base64.encode("\0ann\0pass word".utf8)
        #expect(plain.hear("250-a\r\n250 AUTH LOGIN PLAIN\r\n") == ["AUTH PLAIN \(pair)"])
        #expect(plain.hear("235 welcome\r\n") == ["MAIL FROM:<id@example.com>"])
        var login = try Talk(.tls, user: "ann")
        _ = login.hear("220 a\r\n")
        #expect(login.hear("250-a\r\n250 AUTH=LOGIN\r\n") == ["AUTH LOGIN"])
        #expect(login.hear("334 VXNlcm5hbWU6\r\n") == [Base64.encode("ann".utf8)])
        #expect(login.hear("334 UGFzc3dvcmQ6\r\n") == [Base64.encode("pass word".utf8)])
        #expect(login.hear("235 welcome\r\n") == ["MAIL FROM:<id@example.com>"])
    }

    @Test("a refused sign-in keeps the mail, and its reason repeats nothing of the server's")
    func refusedSignIn() throws {
        for offer in ["AUTH PLAIN", "AUTH LOGIN"] {
            var talk = try Talk(.tls, user: "ann", hello: "250-a\r\n250 \(offer)\r\n")
            #expect(talk.hear("535 no AUTH PLAIN AGFubgBwYXNzIHdvcmQ=\r\n") == ["later", "close"])
            #expect(talk.reason == "the mail server refused the sign-in: 535")
        }
        var talk = try Talk(.tls, user: "ann")
        _ = talk.hear("220 a\r\n")
        #expect(talk.hear("250-a\r\n250 AUTH XOAUTH2 CRAM-MD5\r\n") == ["later", "close"])
    }

    @Test(
        "what is about this mail and for good is never tried again; all else is",
        arguments: [
            ("451 busy", "later"), ("550 no such user", "never"), ("552 full", "never"),
            ("530 sign in first", "later"), ("535 who", "later"), ("421 closing", "later"),
            ("220 what", "later"),
        ])
    func refusals(_ reply: String, _ kind: String) throws {
        for step in 0..<4 {
            var talk = try Talk(hello: "250 a\r\n")
            for answer in [Self.ok, Self.ok, "354 go\r\n"].prefix(step) { _ = talk.hear(answer) }
            #expect(talk.hear("\(reply)\r\n") == [kind, "close"], "step \(step)")
            #expect(talk.reason.hasSuffix(": \(reply)"))
        }
    }

    @Test("a server that refuses us before the mail keeps the mail here")
    func refusedEarly() throws {
        for reply in ["554 no service", "421 later", "250 what"] {
            var talk = try Talk()
            #expect(talk.hear("\(reply)\r\n") == ["later", "close"])
        }
        var talk = try Talk()
        _ = talk.hear("220 a\r\n")
        #expect(talk.hear("502 EHLO is not known\r\n") == ["later", "close"])
    }

    @Test("a connection that ends before the last word leaves the mail; after it, nothing changes")
    func lost() throws {
        func sent() throws -> Talk {
            var talk = try Talk(hello: "250 a\r\n")
            for answer in [Self.ok, Self.ok, "354 go\r\n"] { _ = talk.hear(answer) }
            return talk
        }
        var before = try sent()
        #expect(before.lose() == ["later", "close"])
        var after = try sent()
        #expect(after.hear(Self.ok) == ["delivered", "QUIT"])
        #expect(after.lose() == ["close"])
        var rude = try sent()
        _ = rude.hear(Self.ok)
        #expect(rude.hear("<html>\r\n") == ["close"])
        #expect(rude.reason.isEmpty)
    }

    @Test("a forwarding server's 251 is a yes")
    func forwarded() throws {
        var talk = try Talk(hello: "250 a\r\n")
        _ = talk.hear(Self.ok)
        #expect(talk.hear("251 will forward\r\n") == ["DATA"])
    }

    @Test(
        "a dot that begins a line is doubled, and the end stands alone",
        arguments: [
            ("a\r\n.\r\nb\r\n", "a\r\n..\r\nb\r\n.\r\n"), (".a\r\n", "..a\r\n.\r\n"),
            ("a.\r\n", "a.\r\n.\r\n"), ("a", "a\r\n.\r\n"), ("..\r\n", "...\r\n.\r\n"),
        ])
    func dots(_ content: String, _ expected: String) {
        let stuffed = SMTPConversation.stuffed(Array(content.utf8))
        #expect(String(decoding: stuffed, as: UTF8.self) == expected)
    }
}
