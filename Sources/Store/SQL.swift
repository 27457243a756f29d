import Domain

/// A statement whose interpolated values are bound, never spliced in: `"… WHERE id = \(id)"`
/// becomes `… WHERE id = $1`. Only `raw:` adds text, for column lists written in the source.
package struct SQL: ExpressibleByStringInterpolation, Sendable {
    package enum Value: Equatable, Sendable {
        case null
        case integer(Int64)
        case text(String)
        case bytes([UInt8])
    }

    package private(set) var text: String
    package private(set) var values: [Value]

    package init(stringLiteral text: String) {
        self.text = text
        values = []
    }

    package init(stringInterpolation built: StringInterpolation) {
        text = built.text
        values = built.values
    }

    package static func + (a: SQL, b: SQL) -> SQL {
        var joined = StringInterpolation(literalCapacity: 0, interpolationCount: 0)
        joined.appendInterpolation(a)
        joined.appendInterpolation(b)
        return SQL(stringInterpolation: joined)
    }

    package static func += (a: inout SQL, b: SQL) { a = a + b }

    package struct StringInterpolation: StringInterpolationProtocol {
        fileprivate var text = ""
        fileprivate var values: [Value] = []

        package init(literalCapacity: Int, interpolationCount: Int) {
            text.reserveCapacity(literalCapacity + 4 * interpolationCount)
        }

        package mutating func appendLiteral(_ literal: String) { text += literal }

        private mutating func bind(_ value: Value) {
            values.append(value)
            text += "$\(values.count)"
        }

        package mutating func appendInterpolation(raw: StaticString) { text += "\(raw)" }

        package mutating func appendInterpolation(_ value: Value) { bind(value) }

        /// Another statement's text with its values, numbered on.
        package mutating func appendInterpolation(_ part: SQL) {
            var rest = part.text[...]
            for (index, value) in part.values.enumerated() {
                guard let mark = rest.firstRange(of: "$\(index + 1)") else { break }
                text += rest[..<mark.lowerBound]
                bind(value)
                rest = rest[mark.upperBound...]
            }
            text += rest
        }

        package mutating func appendInterpolation(_ value: String?) {
            bind(value.map(Value.text) ?? .null)
        }

        package mutating func appendInterpolation(_ value: Int64?) {
            bind(value.map(Value.integer) ?? .null)
        }

        package mutating func appendInterpolation(_ value: Int) {
            bind(.integer(Int64(value)))
        }

        package mutating func appendInterpolation(_ value: Bool) {
            bind(.integer(value ? 1 : 0))
        }

        package mutating func appendInterpolation(_ value: Timestamp?) {
            appendInterpolation(value?.milliseconds)
        }

        package mutating func appendInterpolation<Noun>(_ value: ID<Noun>?) {
            appendInterpolation(value?.description)
        }

        package mutating func appendInterpolation(_ value: [UInt8]?) {
            bind(value.map(Value.bytes) ?? .null)
        }

        package mutating func appendInterpolation(_ value: JSON) {
            bind(.text(value.encoded))
        }
    }
}
