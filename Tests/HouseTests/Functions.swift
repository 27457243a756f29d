/// A function's place and length in its file, from its keyword to its closing brace.
struct FunctionSpan: Equatable, Sendable {
    let name: String
    let line: Int
    let lines: Int

    /// Every function, initializer, subscript and computed property that has a body. One inside
    /// another counts for both: the outer one has to be read past it.
    static func all(in scan: Scan) -> [FunctionSpan] {
        var reader = FunctionReader(bytes: scan.codeBytes)
        return reader.spans()
    }
}

/// Finds functions by their keywords and measures them by counting braces, in code alone.
private struct FunctionReader {
    let bytes: [UInt8]
    private var line = 1

    init(bytes: [UInt8]) { self.bytes = bytes }

    /// Words that begin a declaration: a function's head that meets one on a new line had no body,
    /// as in a protocol.
    private static let declarations: Set<String> = [
        "func", "init", "deinit", "subscript", "var", "let", "static", "class", "struct", "enum",
        "actor", "protocol", "extension", "typealias", "associatedtype", "case", "mutating",
        "nonmutating", "package", "private", "fileprivate", "internal", "public", "import",
        "override", "final", "lazy", "weak", "indirect", "required", "convenience", "nonisolated",
    ]

    mutating func spans() -> [FunctionSpan] {
        var found: [FunctionSpan] = []
        var at = 0
        while at < bytes.count {
            guard startsWord(at) else {
                if bytes[at] == .newline { line += 1 }
                at += 1
                continue
            }
            let word = word(at)
            let end = at + word.utf8.count
            if let name = name(of: word, at: at, end: end),
                let body = body(from: end, ofVariable: word == "var")
            {
                let length = bytes[at..<close(of: body)].count { $0 == .newline } + 1
                found.append(FunctionSpan(name: name, line: line, lines: length))
            }
            at = end
        }
        return found
    }

    private func startsWord(_ at: Int) -> Bool {
        bytes[at].isWord && (at == 0 || !bytes[at - 1].isWord)
    }

    private func word(_ at: Int) -> String {
        String(decoding: bytes[at...].prefix(while: \.isWord), as: UTF8.self)
    }

    /// What the declaration at this keyword is called; nil if this is no function's keyword.
    private func name(of word: String, at: Int, end: Int) -> String? {
        if at > 0, bytes[at - 1] == UInt8(ascii: ".") || bytes[at - 1] == UInt8(ascii: "`") {
            return nil
        }
        switch word {
        case "func", "var":
            let rest = bytes[end...].drop { $0 == .space }
            let name = rest.prefix { $0 != .space && !"(<:\n".utf8.contains($0) }
            return name.isEmpty ? word : String(decoding: name, as: UTF8.self)
        case "init", "subscript":
            guard end < bytes.count, "(<?!".utf8.contains(bytes[end]) else { return nil }
            return word
        case "deinit":
            return word
        default:
            return nil
        }
    }

    /// Where the body opens. A variable has one only if a brace comes before its line's end and
    /// before a value.
    private func body(from start: Int, ofVariable: Bool) -> Int? {
        var depth = 0
        var onNewLine = false
        for at in start..<bytes.count {
            let byte = bytes[at]
            if "([".utf8.contains(byte) { depth += 1 }
            if ")]".utf8.contains(byte) { depth -= 1 }
            if depth < 0 { return nil }
            guard depth == 0 else { continue }
            if byte == UInt8(ascii: "{") { return at }
            if byte == UInt8(ascii: "}") { return nil }
            if ofVariable, byte == UInt8(ascii: "=") || byte == .newline { return nil }
            if onNewLine, "@#".utf8.contains(byte) { return nil }
            if onNewLine, startsWord(at), Self.declarations.contains(word(at)) { return nil }
            if byte == .newline { onNewLine = true } else if byte != .space { onNewLine = false }
        }
        return nil
    }

    private func close(of body: Int) -> Int {
        var depth = 0
        for at in body..<bytes.count {
            if bytes[at] == UInt8(ascii: "{") { depth += 1 }
            if bytes[at] == UInt8(ascii: "}") { depth -= 1 }
            if depth == 0 { return at }
        }
        return bytes.count
    }
}
