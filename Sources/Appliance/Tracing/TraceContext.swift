/// A place in a trace, as callers hand it on (W3C Trace Context, w3.org/TR/trace-context): the
/// trace, the span of whoever calls, and whether they record it.
struct TraceContext: Sendable, Equatable {
    struct ID: Sendable, Hashable, CustomStringConvertible {
        let high: UInt64
        let low: UInt64

        var description: String { TraceContext.hex(high) + TraceContext.hex(low) }
    }

    let traceID: ID
    let spanID: UInt64
    let isSampled: Bool
    /// `tracestate`: what other systems want to be handed on as it came.
    var state = ""

    init(traceID: ID, spanID: UInt64, isSampled: Bool, state: String = "") {
        self.traceID = traceID
        self.spanID = spanID
        self.isSampled = isSampled
        self.state = state
    }

    /// Nil for what is no `traceparent`: then a new trace begins (3.2.2.3).
    ///
    /// - Parameter state: each `tracestate` field, in order.
    init?(traceparent: String, state: [String] = []) {
        let text = Array(traceparent.utf8)
        guard text.count >= Self.length, [2, 35, 52].allSatisfy({ text[$0] == Self.dash }),
            let version = Self.number(text[0..<2]), version != 0xFF,
            let high = Self.number(text[3..<19]), let low = Self.number(text[19..<35]),
            let span = Self.number(text[36..<52]), let flags = Self.number(text[53..<55]),
            high | low != 0, span != 0
        else { return nil }
        // Version 00 has nothing more; a later one may, behind another dash.
        guard text.count == Self.length || (version > 0 && text[Self.length] == Self.dash) else {
            return nil
        }
        self.init(
            traceID: ID(high: high, low: low), spanID: span, isSampled: flags & 1 == 1,
            state: Self.checked(state))
    }

    var traceparent: String {
        "00-\(traceID)-\(Self.hex(spanID))-\(isSampled ? "01" : "00")"
    }

    private static let length = 55
    private static let dash = UInt8(ascii: "-")

    /// Handed on in whole or not at all (3.3.1): at most 32 members, and 512 bytes in all.
    private static func checked(_ fields: [String]) -> String {
        let text = fields.joined(separator: ",")
        guard text.utf8.count <= 512, text.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) else {
            return ""
        }
        let members = text.split(separator: ",")
        let isRight = members.count <= 32 && members.allSatisfy { $0.contains("=") }
        return isRight ? text : ""
    }

    /// Only lower-case digits are right (3.2.2).
    private static func number(_ digits: ArraySlice<UInt8>) -> UInt64? {
        var value: UInt64 = 0
        for digit in digits {
            switch digit {
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                value = value << 4 | UInt64(digit - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"):
                value = value << 4 | UInt64(digit - UInt8(ascii: "a") + 10)
            default: return nil
            }
        }
        return value
    }

    /// Sixteen digits.
    static func hex(_ value: UInt64) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.utf8.count) + digits
    }
}
