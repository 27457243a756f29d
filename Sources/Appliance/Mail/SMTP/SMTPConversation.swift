import Domain

/// How one mail is handed to a mail server (RFC 5321, 3207, 4954): a pure state machine, bytes in,
/// actions out. `SMTPTransport` has the socket, the TLS and the clock.
///
/// Rules that it holds:
/// - With `.startTLS`, nothing but EHLO and STARTTLS is sent before TLS, whatever the server offers
///   or leaves out. There is no way from here to a mail or a password in the clear.
/// - The server speaks when it was asked, once. Bytes behind a reply end the conversation: what
///   came before TLS is never read as if it had come through it (CVE-2011-0411, seen from the
///   client).
/// - A refusal of this mail for good is `never`; all else, such as a wrong password or certificate,
///   is `later`, since it is for an operator to mend and must cost no mail.
struct SMTPConversation: Sendable {
    struct Credentials: Sendable {
        let user: String
        let password: Secret
    }

    struct Setting: Sendable {
        let security: Configuration.SMTP.Security
        let credentials: Credentials?
        /// What EHLO says of us: a name, or an address in brackets.
        let greeting: String
    }

    enum Action: Equatable, Sendable {
        case send([UInt8])
        /// Begin TLS on this connection; `didSecure` is next.
        case secure
        /// The server has the mail. What follows, if anything, is good manners.
        case delivered
        case failed(MailFailure)
        case close
    }

    /// What the server's next reply answers.
    private enum State {
        case greeting, hello, startTLS, securing
        case plainAuth, loginStart, loginUser, loginPassword
        case sender, recipient, data, content, quit
        case ended
    }

    private let message: MailMessage
    private let setting: Setting
    private var state = State.greeting
    private var parser = SMTPReplyParser()
    private var extensions: [String: String] = [:]
    private var isSecure: Bool

    init(_ message: MailMessage, _ setting: Setting) {
        self.message = message
        self.setting = setting
        isSecure = setting.security == .tls
    }

    /// The server has all of the mail and thinks about it: to give up now sends it twice, so this
    /// takes more patience than anything else (RFC 5321, 4.5.3.2.6).
    var awaitsVerdict: Bool { state == .content }

    // MARK: Events

    mutating func received(_ bytes: some Sequence<UInt8>) -> [Action] {
        parser.append(bytes)
        do throws(SMTPReplyParser.Failure) {
            guard state != .ended, let reply = try parser.next() else { return [] }
            guard state != .securing, parser.isEmpty else {
                return fail(.later("the mail server spoke out of turn"))
            }
            return answer(reply)
        } catch {
            return fail(.later("the mail server does not speak SMTP: \(error.reason)"))
        }
    }

    mutating func didSecure() -> [Action] {
        // A part of a reply from before would be the beginning of the first one after.
        guard state == .securing, parser.isEmpty else {
            return state == .securing ? fail(.later("the mail server spoke out of turn")) : []
        }
        isSecure = true
        // What was said in the clear counts no more (RFC 3207, 4.2).
        extensions = [:]
        return hello()
    }

    /// The connection has ended, or a step has taken too long.
    mutating func lost(_ reason: String) -> [Action] {
        guard state != .ended, state != .quit else { return finish() }
        return fail(.later(reason))
    }

    // MARK: Replies

    private mutating func answer(_ reply: SMTPReply) -> [Action] {
        switch state {
        case .greeting: return expect(220, reply, "greeting") { $0.hello() }
        case .hello:
            return expect(250, reply, "EHLO") { conversation in
                conversation.note(reply)
                return conversation.afterHello()
            }
        case .startTLS:
            return expect(220, reply, "STARTTLS") { conversation in
                conversation.state = .securing
                return [.secure]
            }
        case .plainAuth, .loginPassword: return authenticated(reply)
        case .loginStart: return login(reply, next: .loginUser) { $0.user }
        case .loginUser: return login(reply, next: .loginPassword) { $0.password.text }
        case .sender:
            return deliver(reply, "MAIL") {
                $0.command("RCPT TO:<\($0.message.recipient)>", .recipient)
            }
        case .recipient: return deliver(reply, "RCPT") { $0.command("DATA", .data) }
        case .data:
            return deliver(reply, "DATA", wanting: 354) { conversation in
                conversation.state = .content
                return [.send(Self.stuffed(conversation.message.bytes))]
            }
        case .content:
            return deliver(reply, "the mail") { [.delivered] + $0.command("QUIT", .quit) }
        case .quit, .securing, .ended: return finish()
        }
    }

    /// A step that is about the server and not about this mail.
    private mutating func expect(
        _ code: Int, _ reply: SMTPReply, _ step: String,
        _ next: (inout SMTPConversation) -> [Action]
    ) -> [Action] {
        guard reply.code == code else {
            return fail(.later("the mail server refused \(step): \(reply.summary)"))
        }
        return next(&self)
    }

    /// A step that is about this mail: 5yz is for good, unless it asks for a sign-in.
    private mutating func deliver(
        _ reply: SMTPReply, _ step: String, wanting code: Int = 250,
        _ next: (inout SMTPConversation) -> [Action]
    ) -> [Action] {
        // 251: it will forward the mail (RFC 5321, 3.4).
        if reply.code == code || (reply.code == 251 && state == .recipient) { return next(&self) }
        let reason = "the mail server refused \(step): \(reply.summary)"
        guard !reply.isPositive, !reply.isTransient, !Self.aboutSignIn.contains(reply.code) else {
            return fail(.later(reason))
        }
        return fail(.never(reason))
    }

    /// Authentication required, too weak, failed, or to be encrypted (RFC 4954, 6); no mail is
    /// taken here at all (RFC 7504).
    private static let aboutSignIn: Set = [521, 530, 534, 535, 538]

    // MARK: Before the mail

    private mutating func hello() -> [Action] { command("EHLO \(setting.greeting)", .hello) }

    private mutating func note(_ reply: SMTPReply) {
        for line in reply.lines.dropFirst() {
            let words = line.split(maxSplits: 1) { $0 == " " || $0 == "=" }
            guard let name = words.first else { continue }
            extensions[name.uppercased()] = words.count > 1 ? words[1].uppercased() : ""
        }
    }

    private mutating func afterHello() -> [Action] {
        if setting.security == .startTLS, !isSecure {
            guard extensions["STARTTLS"] != nil else {
                return fail(.later("the mail server does not offer STARTTLS; nothing was sent"))
            }
            return command("STARTTLS", .startTLS)
        }
        guard let credentials = setting.credentials else { return beginMail() }
        let offered = extensions["AUTH"]?.split(separator: " ") ?? []
        if offered.contains("PLAIN") {
            let text = "\0\(credentials.user)\0\(credentials.password.text)"
            return command("AUTH PLAIN \(Base64.encode(text.utf8))", .plainAuth)
        }
        guard offered.contains("LOGIN") else {
            return fail(.later("the mail server offers neither AUTH PLAIN nor AUTH LOGIN"))
        }
        return command("AUTH LOGIN", .loginStart)
    }

    private mutating func login(
        _ reply: SMTPReply, next: State, _ answer: (Credentials) -> String
    ) -> [Action] {
        guard reply.code == 334, let credentials = setting.credentials else {
            return authenticated(reply)
        }
        return command(Base64.encode(answer(credentials).utf8), next)
    }

    /// The code alone is told: a server may repeat what it did not like, which is a password.
    private mutating func authenticated(_ reply: SMTPReply) -> [Action] {
        guard reply.code == 235 else {
            return fail(.later("the mail server refused the sign-in: \(reply.code)"))
        }
        return beginMail()
    }

    private mutating func beginMail() -> [Action] {
        let size = message.bytes.count
        var parameters = ""
        if let most = extensions["SIZE"] {
            // 0 or nothing: no bound that it knows of (RFC 1870, 4).
            if let most = Int(most), most > 0, size > most {
                return fail(.never("the mail has \(size) bytes, and the server takes \(most)"))
            }
            parameters = " SIZE=\(size)"
        }
        // 7 bits need no 8BITMIME: the mail goes through servers that do not have it.
        return command("MAIL FROM:<\(message.sender)>\(parameters)", .sender)
    }

    // MARK: Actions

    private mutating func command(_ line: String, _ next: State) -> [Action] {
        state = next
        return [.send(Array("\(line)\r\n".utf8))]
    }

    private mutating func fail(_ failure: MailFailure) -> [Action] {
        // Once the mail is delivered, nothing that follows takes it back.
        guard state != .quit, state != .ended else { return finish() }
        state = .ended
        return [.failed(failure), .close]
    }

    private mutating func finish() -> [Action] {
        state = .ended
        return [.close]
    }

    /// The content with its end; a line that begins with a dot gets another (RFC 5321, 4.5.2).
    static func stuffed(_ content: [UInt8]) -> [UInt8] {
        var stuffed: [UInt8] = []
        stuffed.reserveCapacity(content.count + 64)
        var isLineStart = true
        for byte in content {
            if isLineStart, byte == UInt8(ascii: ".") { stuffed.append(byte) }
            stuffed.append(byte)
            isLineStart = byte == 10
        }
        if !isLineStart { stuffed += [13, 10] }
        return stuffed + [UInt8(ascii: "."), 13, 10]
    }
}
