/// A strict JSON reader for bodies from outside (RFC 8259, RFC 7493).
///
/// Stricter than the RFC where laxness has been an attack: strict UTF-8, no duplicate members, no
/// lone surrogates, at most `depthMax` levels and `membersMax` members, so that its time
/// and memory are linear in the body, whose size the caller has bounded. The library parsers to be
/// had accept duplicates silently and cannot say where the error is.
package struct JSONParser {
    /// What was wrong, and at which byte of the body.
    package struct Failure: Error, Equatable {
        package let reason: String
        package let offset: Int
    }

    /// security.md B2.
    package static let depthMax = 32
    package static let membersMax = 1000
    /// Longest literal of a number: 2^53 has 16 digits, a double 17 and its exponent.
    static let numberBytesMax = 64

    private let bytes: [UInt8]
    private let membersMax: Int
    private var at = 0
    private var depth = 0
    private var members = 0

    /// - Parameter membersMax: more of them for a call that takes many things at once.
    package static func parse(
        _ bytes: [UInt8], membersMax: Int = membersMax
    ) throws(Failure) -> JSON {
        var parser = JSONParser(bytes: bytes, membersMax: membersMax)
        let value = try parser.value()
        parser.skipSpace()
        guard parser.at == bytes.count else {
            throw parser.failure("something follows the JSON value")
        }
        return value
    }

    private init(bytes: [UInt8], membersMax: Int) {
        self.bytes = bytes
        self.membersMax = membersMax
    }

    private func failure(_ reason: String) -> Failure { Failure(reason: reason, offset: at) }

    private mutating func value() throws(Failure) -> JSON {
        skipSpace()
        guard at < bytes.count else { throw failure("the text ends where a value is expected") }
        switch bytes[at] {
        case UInt8(ascii: "{"): return try nested { parser throws(Failure) in try parser.object() }
        case UInt8(ascii: "["): return try nested { parser throws(Failure) in try parser.array() }
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try literal("true", .bool(true))
        case UInt8(ascii: "f"): return try literal("false", .bool(false))
        case UInt8(ascii: "n"): return try literal("null", .null)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
        default: throw failure("no JSON value begins like this")
        }
    }

    private mutating func nested(
        _ read: (inout JSONParser) throws(Failure) -> JSON
    ) throws(Failure) -> JSON {
        guard depth < Self.depthMax else { throw failure("deeper than \(Self.depthMax) levels") }
        depth += 1
        at += 1
        let value = try read(&self)
        depth -= 1
        return value
    }

    private mutating func object() throws(Failure) -> JSON {
        var found: [JSON.Member] = []
        var names: Set<String> = []
        if take(UInt8(ascii: "}")) { return .object(found) }
        repeat {
            skipSpace()
            guard at < bytes.count, bytes[at] == UInt8(ascii: "\"") else {
                throw failure("expected a member's name in quotes")
            }
            let name = try string()
            guard names.insert(name).inserted else {
                throw failure("the member \"\(name.prefix(64))\" stands there twice")
            }
            members += 1
            guard members <= membersMax else {
                throw failure("more than \(membersMax) members")
            }
            guard take(UInt8(ascii: ":")) else { throw failure("expected \":\"") }
            found.append(JSON.Member(name, try value()))
        } while take(UInt8(ascii: ","))
        guard take(UInt8(ascii: "}")) else { throw failure("expected \",\" or \"}\"") }
        return .object(found)
    }

    private mutating func array() throws(Failure) -> JSON {
        var elements: [JSON] = []
        if take(UInt8(ascii: "]")) { return .array(elements) }
        repeat { elements.append(try value()) } while take(UInt8(ascii: ","))
        guard take(UInt8(ascii: "]")) else { throw failure("expected \",\" or \"]\"") }
        return .array(elements)
    }

    private mutating func literal(_ text: String, _ value: JSON) throws(Failure) -> JSON {
        guard bytes[at...].starts(with: text.utf8) else {
            throw failure("no JSON value begins like this")
        }
        at += text.utf8.count
        return value
    }

    private mutating func number() throws(Failure) -> JSON {
        let start = at
        var isInteger = true
        if bytes[at] == UInt8(ascii: "-") { at += 1 }
        let leadingZero = at < bytes.count && bytes[at] == UInt8(ascii: "0")
        let whole = digits()
        guard whole > 0 else { throw failure("a digit is missing") }
        guard !leadingZero || whole == 1 else { throw failure("a number with a leading zero") }
        if at < bytes.count, bytes[at] == UInt8(ascii: ".") {
            at += 1
            isInteger = false
            guard digits() > 0 else { throw failure("a digit is missing") }
        }
        if at < bytes.count, bytes[at] | 0x20 == UInt8(ascii: "e") {
            at += 1
            isInteger = false
            if at < bytes.count, bytes[at] == UInt8(ascii: "+") || bytes[at] == UInt8(ascii: "-") {
                at += 1
            }
            guard digits() > 0 else { throw failure("a digit is missing") }
        }
        guard at - start <= Self.numberBytesMax else { throw failure("a number that long") }
        let text = String(decoding: bytes[start..<at], as: UTF8.self)
        if isInteger, let integer = Int64(text) { return .integer(integer) }
        return .decimal(text)
    }

    private mutating func digits() -> Int {
        let start = at
        while at < bytes.count, Int64(asciiDigit: bytes[at]) != nil { at += 1 }
        return at - start
    }

    private mutating func string() throws(Failure) -> String {
        at += 1
        var text: [UInt8] = []
        while at < bytes.count {
            let run = at
            while at < bytes.count, bytes[at] >= 0x20, bytes[at] != UInt8(ascii: "\""),
                bytes[at] != UInt8(ascii: "\\")
            {
                at += 1
            }
            text.append(contentsOf: bytes[run..<at])
            guard at < bytes.count else { break }
            switch bytes[at] {
            case UInt8(ascii: "\""):
                at += 1
                guard let string = String(validating: text, as: UTF8.self) else {
                    throw failure("a string that is not UTF-8")
                }
                return string
            case UInt8(ascii: "\\"):
                text.append(contentsOf: String(try escape()).utf8)
            default: throw failure("a control character in a string")
            }
        }
        throw failure("a string without an end")
    }

    private mutating func escape() throws(Failure) -> Unicode.Scalar {
        at += 1
        guard at < bytes.count else { throw failure("a string without an end") }
        let letter = bytes[at]
        at += 1
        switch letter {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"):
            return Unicode.Scalar(letter)
        case UInt8(ascii: "b"): return "\u{08}"
        case UInt8(ascii: "f"): return "\u{0C}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"): return try unicodeEscape()
        default: throw failure("an unknown escape")
        }
    }

    private mutating func unicodeEscape() throws(Failure) -> Unicode.Scalar {
        var value = try fourHexDigits()
        if (0xD800...0xDBFF).contains(value) {
            guard bytes[at...].starts(with: "\\u".utf8) else { throw failure("half a character") }
            at += 2
            let low = try fourHexDigits()
            guard (0xDC00...0xDFFF).contains(low) else { throw failure("half a character") }
            value = 0x10000 + (value - 0xD800) << 10 + (low - 0xDC00)
        }
        guard let scalar = Unicode.Scalar(value) else { throw failure("half a character") }
        return scalar
    }

    private mutating func fourHexDigits() throws(Failure) -> UInt32 {
        guard at + 4 <= bytes.count else { throw failure("an escape without an end") }
        var value: UInt32 = 0
        for byte in bytes[at..<at + 4] {
            let lower = byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "F") ? byte | 0x20 : byte
            guard let digit = Hex.value(of: lower) else { throw failure("expected a hex digit") }
            value = value << 4 | UInt32(digit)
        }
        at += 4
        return value
    }

    private mutating func skipSpace() {
        while at < bytes.count {
            switch bytes[at] {
            case 0x20, 0x09, 0x0A, 0x0D: at += 1
            default: return
            }
        }
    }

    private mutating func take(_ wanted: UInt8) -> Bool {
        skipSpace()
        guard at < bytes.count, bytes[at] == wanted else { return false }
        at += 1
        return true
    }
}
