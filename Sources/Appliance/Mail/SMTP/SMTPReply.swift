/// One reply of a mail server (RFC 5321, 4.2): a code and one or more lines of text.
struct SMTPReply: Equatable, Sendable {
    let code: Int
    let lines: [String]

    /// 2yz, or 3yz where the command has more to send.
    var isPositive: Bool { code < 400 }

    /// 4yz: the same again, later, may succeed.
    var isTransient: Bool { (400..<500).contains(code) }

    /// What the server said, for a log: visible ASCII, not too long.
    var summary: String {
        let text = lines.joined(separator: " ").unicodeScalars.map { scalar -> Character in
            (0x20...0x7E).contains(scalar.value) ? Character(scalar) : "?"
        }
        return String("\(code) \(String(text))".prefix(Self.summaryMax))
    }

    private static let summaryMax = 200
}

/// Puts replies together from bytes as they come. Strict, because what is read loosely is where one
/// reply is taken for another: a line ends in CRLF and nowhere else, every line of a reply has its
/// code, and each size has a bound.
struct SMTPReplyParser: Sendable {
    struct Failure: Error, Equatable {
        let reason: String
    }

    /// Of a line with its end; RFC 5321, 4.5.3.1.5 allows 512, and some servers say more.
    static let lineBytesMax = 2048
    static let linesMax = 128

    private var buffer: [UInt8] = []
    private var code: Int?
    private var lines: [String] = []

    /// Nothing is left of what came: neither a part of a reply nor one that was not asked for.
    var isEmpty: Bool { buffer.isEmpty && code == nil }

    mutating func append(_ bytes: some Sequence<UInt8>) { buffer += bytes }

    /// The next whole reply; nil when more bytes are needed.
    mutating func next() throws(Failure) -> SMTPReply? {
        while let line = try nextLine() {
            let isLast = try read(line)
            guard isLast, let code else { continue }
            defer {
                self.code = nil
                lines = []
            }
            return SMTPReply(code: code, lines: lines)
        }
        return nil
    }

    private mutating func nextLine() throws(Failure) -> [UInt8]? {
        guard let end = buffer.firstIndex(where: { $0 == 10 || $0 == 13 }) else {
            guard buffer.count < Self.lineBytesMax else { throw Self.tooLong }
            return nil
        }
        guard end < Self.lineBytesMax else { throw Self.tooLong }
        guard buffer[end] == 13 else { throw Failure(reason: "a line ends in a bare line feed") }
        guard end + 1 < buffer.count else { return nil }
        guard buffer[end + 1] == 10 else {
            throw Failure(reason: "a line has a carriage return in it")
        }
        let line = Array(buffer[..<end])
        buffer.removeFirst(end + 2)
        return line
    }

    /// True for the last line of a reply.
    private mutating func read(_ line: [UInt8]) throws(Failure) -> Bool {
        let digits = line.prefix(3).compactMap { byte in
            (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                ? Int(byte - UInt8(ascii: "0")) : nil
        }
        guard digits.count == 3, (2...5).contains(digits[0]), digits[1] <= 5 else {
            throw Failure(reason: "a line has no reply code")
        }
        let found = digits[0] * 100 + digits[1] * 10 + digits[2]
        if let code, code != found { throw Failure(reason: "two codes in one reply") }
        code = found
        guard lines.count < Self.linesMax else {
            throw Failure(reason: "a reply of too many lines")
        }
        lines.append(String(decoding: line.dropFirst(4), as: UTF8.self))
        switch line.dropFirst(3).first {
        case UInt8(ascii: "-"): return false
        case UInt8(ascii: " "), nil: return true
        default: throw Failure(reason: "a line has no reply code")
        }
    }

    private static let tooLong = Failure(reason: "a line is too long")
}
