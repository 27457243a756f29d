import Domain

/// Text as 7-bit lines that any mail server passes on unchanged (RFC 2045, 6.7).
enum QuotedPrintable {
    /// Characters of a line, with the `=` that continues it (RFC 2045, 6.7, rule 5).
    private static let columns = 76

    private static let hex = Array("0123456789ABCDEF".utf8)

    /// - Parameter text: lines end in `\n`.
    /// - Returns: lines that end in CRLF.
    static func encode(_ text: String) -> [UInt8] {
        var encoded: [UInt8] = []
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            encode(Array(line.utf8), into: &encoded)
            encoded += crlf
        }
        // The split leaves an empty line behind the last end of line.
        return text.hasSuffix("\n") ? encoded.dropLast(2) : encoded
    }

    private static func encode(_ line: [UInt8], into encoded: inout [UInt8]) {
        var column = 0
        for (index, byte) in line.enumerated() {
            var isPlain = isPlain(byte, isFirst: column == 0, isLast: index == line.count - 1)
            if column + (isPlain ? 1 : 3) > columns - 1 {
                encoded += [UInt8(ascii: "=")] + crlf
                column = 0
                isPlain = Self.isPlain(byte, isFirst: true, isLast: index == line.count - 1)
            }
            if isPlain {
                encoded.append(byte)
            } else {
                encoded += [UInt8(ascii: "="), hex[Int(byte >> 4)], hex[Int(byte & 15)]]
            }
            column += isPlain ? 1 : 3
        }
    }

    /// A dot or an `F` that begins a line is encoded too: servers that take a dot for the end of
    /// the mail, or `From` for the beginning of one, have been seen (RFC 2049, 3).
    private static func isPlain(_ byte: UInt8, isFirst: Bool, isLast: Bool) -> Bool {
        switch byte {
        case UInt8(ascii: "="): false
        case UInt8(ascii: "."), UInt8(ascii: "F"): !isFirst
        case UInt8(ascii: " "), UInt8(ascii: "\t"): !isLast
        default: (0x21...0x7E).contains(byte)
        }
    }

    private static let crlf: [UInt8] = [13, 10]
}

/// Base 64 with padding (RFC 4648, 4), as mail uses it.
enum Base64 {
    static func encode(_ bytes: some Sequence<UInt8>) -> String {
        let text = Base64URL.encode(bytes).map { digit -> Character in
            switch digit {
            case "-": "+"
            case "_": "/"
            default: digit
            }
        }
        return String(text) + String(repeating: "=", count: (4 - text.count % 4) % 4)
    }
}
