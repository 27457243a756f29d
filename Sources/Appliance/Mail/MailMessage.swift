import Domain

/// A letter as it goes over the wire: RFC 5322, 7-bit, the text and the HTML as alternatives. Made
/// of the same values it has the same bytes, so a mail that is sent again is the same mail.
struct MailMessage: Sendable {
    let sender: String
    let recipient: EmailAddress
    /// In the mailbox folder; sorts by time.
    let fileName: String
    /// Lines end in CRLF.
    let bytes: [UInt8]

    /// - Parameters:
    ///   - id: what stands before the `@` of the Message-ID: the same at each attempt, so that
    ///     whoever gets the mail twice can tell.
    ///   - host: the public URL's, the other part of the Message-ID.
    /// Throws `internal` for a header with a character that would end it (security U2).
    init(
        _ letter: Letter, from sender: MailSender, to recipient: EmailAddress, id: String,
        host: String, at moment: Timestamp
    ) throws(Problem) {
        self.sender = sender.address
        self.recipient = recipient
        fileName = "\(moment)-\(id).eml"
        // No line of quoted-printable text has `=_` in it (RFC 2045, 6.7).
        let boundary = "=_\(id)"
        var bytes: [UInt8] = []
        let fields = [
            ("From", try Self.mailbox(sender)),
            ("To", try Self.words(recipient.description)),
            ("Subject", try Self.words(letter.subject)),
            ("Date", "\(CalendarText.date(moment)) +0000"),
            ("Message-ID", try Self.words("<\(id)@\(host)>")),
            ("MIME-Version", "1.0"),
            ("Content-Language", letter.language.rawValue),
            // No robot is to answer (RFC 3834, 5), Microsoft's neither (MS-OXCMAIL, 2.1.3.2.20).
            ("Auto-Submitted", "auto-generated"),
            ("X-Auto-Response-Suppress", "All"),
            ("Content-Type", "multipart/alternative;\r\n boundary=\"\(boundary)\""),
        ]
        for (name, value) in fields { bytes += Array("\(name): \(value)\r\n".utf8) }
        let html = letter.html(service: sender.service)
        // The best comes last (RFC 2046, 5.1.4).
        for (type, text) in [("plain", letter.text), ("html", html)] {
            let head = """
                \r\n--\(boundary)\r\nContent-Type: text/\(type); charset=utf-8\r\n\
                Content-Transfer-Encoding: quoted-printable\r\n\r\n
                """
            bytes += Array(head.utf8) + QuotedPrintable.encode(text)
        }
        bytes += Array("\r\n--\(boundary)--\r\n".utf8)
        self.bytes = bytes
    }

    // MARK: Headers

    private static func mailbox(_ sender: MailSender) throws(Problem) -> String {
        let address = try words(sender.address)
        guard !sender.name.isEmpty else { return address }
        // A quoted string, unless it needs more than ASCII: a name has no quote or backslash.
        let name = try words(sender.name)
        return (name == sender.name ? "\"\(name)\"" : name) + " <\(address)>"
    }

    /// Bytes of text in one encoded word: 52 digits and 12 around them, behind `Subject: `, are
    /// within the 76 of RFC 2047, 2.
    private static let encodedBytesMax = 39
    /// Of a line that is not folded (RFC 5322, 2.1.1).
    private static let plainMax = 66

    /// Text of a header: as it is where it can stand so, else as encoded words (RFC 2047).
    static func words(_ text: String) throws(Problem) -> String {
        guard !Text.hasUnsafeCharacter(text) else {
            throw .internal(cause: "a header of a mail would hold a control character")
        }
        let isPlain = text.utf8.allSatisfy { (0x20...0x7E).contains($0) } && !text.contains("=?")
        // An address and an id have no spaces and stand as they are, however long.
        if isPlain, text.utf8.count <= plainMax || !text.contains(" ") { return text }
        var words: [String] = []
        var word = ""
        for character in text {
            if word.utf8.count + character.utf8.count > encodedBytesMax {
                words.append(word)
                word = ""
            }
            word.append(character)
        }
        return (words + [word]).map { "=?utf-8?B?\(Base64.encode($0.utf8))?=" }
            .joined(separator: "\r\n ")
    }
}
