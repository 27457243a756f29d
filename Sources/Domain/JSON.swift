/// A JSON value (RFC 8259). Members keep their order, numbers that are no 64-bit integer keep their
/// text: what a client stored comes back as it was sent.
package indirect enum JSON: Equatable, Sendable {
    case null
    case bool(Bool)
    case integer(Int64)
    /// Any other number, as the literal that was read.
    case decimal(String)
    case string(String)
    case array([JSON])
    case object([Member])

    package struct Member: Equatable, Sendable {
        package let name: String
        package let value: JSON

        package init(_ name: String, _ value: JSON) {
            self.name = name
            self.value = value
        }
    }

    /// The number when it is whole, however it is written: `3600`, `3600.0` and `3.6e3` are one
    /// integer (JSON Schema 2020-12, 6.1.1 of its validation).
    package var whole: Int64? {
        switch self {
        case .integer(let integer): integer
        case .decimal(let literal): Self.whole(literal)
        case .null, .bool, .string, .array, .object: nil
        }
    }

    private static func whole(_ literal: String) -> Int64? {
        let parts = literal.lowercased().split(separator: "e", omittingEmptySubsequences: false)
        let mantissa = parts[0].split(separator: ".", omittingEmptySubsequences: false)
        let fraction = mantissa.count == 2 ? mantissa[1] : ""
        guard let exponent = parts.count == 2 ? Int(parts[1]) : 0 else { return nil }
        var digits = mantissa[0] + fraction
        let (zeros, overflows) = exponent.subtractingReportingOverflow(fraction.utf8.count)
        guard !overflows else { return nil }
        var missing = zeros
        while missing < 0, digits.last == "0" {
            digits.removeLast()
            missing += 1
        }
        if digits.allSatisfy({ $0 == "0" || $0 == "-" }) { return 0 }
        // 64 bits have 19 digits at most.
        guard (0...18).contains(missing) else { return nil }
        return Int64(digits + String(repeating: "0", count: missing))
    }

    package static func text(_ value: String?) -> JSON { value.map { .string($0) } ?? .null }

    package subscript(name: String) -> JSON? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.name == name }?.value
    }

    /// What kind of value this is, in the words of an error message.
    package var kind: String {
        switch self {
        case .null: "null"
        case .bool: "a boolean"
        case .integer, .decimal: "a number"
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        }
    }

    /// The largest integer that every JSON reader keeps exact (2^53, RFC 8259, 6).
    package static let integerMax: Int64 = 1 << 53

    package var encoded: String {
        var writer = JSONWriter()
        writer.value(self)
        return String(decoding: writer.bytes, as: UTF8.self)
    }
}
