/// A Swift file taken apart: for each byte, whether it is code, a text's content or a comment.
///
/// The rules look for words, and a word means something else in a comment or a text. A real parser
/// (swift-syntax) would cost minutes of build time; all that the rules need is this lexer, which
/// knows nested comments, raw and multi-line texts, interpolations and regex literals.
struct Scan: Sendable {
    enum Kind: UInt8, Sendable {
        case code
        case text
        case comment
    }

    private let bytes: [UInt8]
    private let kinds: [Kind]
    /// The file's lines with all but one kind blanked, so that line numbers stay what they were.
    let code: [String]
    let text: [String]
    let comments: [String]

    init(_ source: String) {
        var lexer = Lexer(Array(source.utf8))
        lexer.run()
        bytes = lexer.bytes
        kinds = lexer.kinds
        code = Self.lines(bytes, kinds, keeping: .code)
        text = Self.lines(bytes, kinds, keeping: .text)
        comments = Self.lines(bytes, kinds, keeping: .comment)
    }

    /// The whole file's code, byte by byte.
    var codeBytes: [UInt8] { Self.blanked(bytes, kinds, keeping: .code) }

    /// The whole file's texts, for what can go over lines, such as SQL.
    var allText: String {
        String(decoding: Self.blanked(bytes, kinds, keeping: .text), as: UTF8.self)
    }

    private static func blanked(_ bytes: [UInt8], _ kinds: [Kind], keeping kind: Kind) -> [UInt8] {
        var kept = bytes
        for index in bytes.indices where kinds[index] != kind && bytes[index] != .newline {
            kept[index] = .space
        }
        return kept
    }

    private static func lines(_ bytes: [UInt8], _ kinds: [Kind], keeping kind: Kind) -> [String] {
        blanked(bytes, kinds, keeping: kind)
            .split(separator: .newline, omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self) }
    }
}

/// Walks over the bytes once and gives each its kind. What opens and closes a text is code, so that
/// `""` is still seen as a value by those who read the code alone.
private struct Lexer {
    let bytes: [UInt8]
    private(set) var kinds: [Scan.Kind]
    private var at = 0

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        kinds = Array(repeating: .code, count: bytes.count)
    }

    mutating func run() {
        code(inInterpolation: false)
    }

    private func byte(_ offset: Int) -> UInt8? {
        let index = at + offset
        return bytes.indices.contains(index) ? bytes[index] : nil
    }

    private func comes(_ byte: Character, at offset: Int = 0) -> Bool {
        self.byte(offset) == byte.asciiValue
    }

    /// Passes over `count` bytes of one kind.
    private mutating func take(_ count: Int, as kind: Scan.Kind) {
        let end = min(at + count, bytes.count)
        for index in at..<end { kinds[index] = kind }
        at = end
    }

    private func hashes(at offset: Int = 0) -> Int {
        var count = 0
        while comes("#", at: offset + count) { count += 1 }
        return count
    }

    /// Code to the end of the file, or to the parenthesis that closes an interpolation.
    private mutating func code(inInterpolation: Bool) {
        var depth = 0
        while at < bytes.count {
            let hashes = hashes()
            if comes("/"), comes("/", at: 1) {
                lineComment()
            } else if comes("/"), comes("*", at: 1) {
                blockComment()
            } else if comes("\"", at: hashes) {
                take(hashes, as: .code)
                literal(hashes: hashes)
            } else if hashes > 0, comes("/", at: hashes) {
                take(hashes, as: .code)
                regex(hashes: hashes)
            } else if comes("/"), startsRegex() {
                regex(hashes: 0)
            } else if comes("`") {
                quotedName()
            } else {
                if comes("(") { depth += 1 }
                if comes(")") { depth -= 1 }
                if inInterpolation, depth < 0 { return }
                take(max(1, hashes), as: .code)
            }
        }
    }

    private mutating func lineComment() {
        while at < bytes.count, bytes[at] != .newline { take(1, as: .comment) }
    }

    private mutating func blockComment() {
        var depth = 0
        repeat {
            if comes("/"), comes("*", at: 1) {
                depth += 1
                take(2, as: .comment)
            } else if comes("*"), comes("/", at: 1) {
                depth -= 1
                take(2, as: .comment)
            } else {
                take(1, as: .comment)
            }
        } while depth > 0 && at < bytes.count
    }

    /// `"…"`, `"""…"""` and the same between hashes, which then stand before an escape, too.
    private mutating func literal(hashes: Int) {
        let quotes = opensManyLines() ? 3 : 1
        take(quotes, as: .code)
        while at < bytes.count {
            if closes(quotes, hashes) {
                take(quotes + hashes, as: .code)
                return
            }
            // A text that its line does not close: not Swift. Giving up here limits the damage.
            if quotes == 1, comes("\n") { return }
            if comes("\\"), self.hashes(at: 1) >= hashes {
                if comes("(", at: 1 + hashes) {
                    take(1 + hashes, as: .text)
                    take(1, as: .code)
                    code(inInterpolation: true)
                    take(1, as: .code)
                } else {
                    take(2 + hashes, as: .text)
                }
            } else {
                take(1, as: .text)
            }
        }
    }

    /// Three quotes and then only blanks: `#"""#` is a text of one line that holds a quote.
    private func opensManyLines() -> Bool {
        guard comes("\""), comes("\"", at: 1), comes("\"", at: 2) else { return false }
        var offset = 3
        while byte(offset) == .space { offset += 1 }
        return comes("\n", at: offset)
    }

    private func closes(_ quotes: Int, _ hashes: Int) -> Bool {
        (0..<quotes).allSatisfy { comes("\"", at: $0) } && self.hashes(at: quotes) >= hashes
    }

    /// A bare `/` begins a regex where a value is due, no blank follows and the line has its end;
    /// anywhere else it divides.
    private func startsRegex() -> Bool {
        var before = at - 1
        while before >= 0, bytes[before] == .space { before -= 1 }
        let due = before < 0 || "\n(,=:[{".utf8.contains(bytes[before])
        guard due, let next = byte(1), next != .space, next != .newline else { return false }
        var offset = 1
        while let byte = byte(offset), byte != .newline {
            if comes("/", at: offset) { return true }
            offset += comes("\\", at: offset) ? 2 : 1
        }
        return false
    }

    private mutating func regex(hashes: Int) {
        take(1, as: .code)
        while at < bytes.count {
            if comes("/"), self.hashes(at: 1) >= hashes {
                take(1 + hashes, as: .code)
                return
            }
            take(comes("\\") ? 2 : 1, as: .text)
        }
    }

    /// A name between backticks is code, unless it is a sentence (SE-0451) and may hold anything.
    private mutating func quotedName() {
        var length = 1
        while let byte = byte(length), byte != .newline, !comes("`", at: length) { length += 1 }
        let isWord = bytes[at + 1..<min(at + length, bytes.count)].allSatisfy(\.isWord)
        take(1, as: .code)
        take(length - 1, as: isWord ? .code : .text)
        take(1, as: .code)
    }
}

extension UInt8 {
    static let newline = UInt8(ascii: "\n")
    static let space = UInt8(ascii: " ")

    /// A letter, a digit, an underscore, or a part of a character beyond ASCII.
    var isWord: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), 0x80...:
            true
        default:
            false
        }
    }
}
