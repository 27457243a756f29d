import Domain

/// Request ids: a random beginning for the process and a count. A valid one that came in is kept.
final class RequestIDs: Sendable {
    private let prefix: String
    private let count = Counter()

    init() {
        var random = SystemRandomNumberGenerator()
        prefix = Base62.random(10, using: &random) + "-"
    }

    func id(for incoming: String?) -> String {
        if let incoming, Self.isValid(incoming) { return incoming }
        return prefix + String(count.next(), radix: 36)
    }

    /// The same, as bytes, without a text made first.
    func write(for incoming: String?, into bytes: inout ByteWriter) {
        if let incoming, Self.isValid(incoming) { return bytes.append(incoming) }
        bytes.append(prefix)
        bytes.append(base36: count.next())
    }

    /// 1 to 64 of the characters that are safe in a log, a header and a URL.
    private static func isValid(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count)
            && text.utf8.allSatisfy {
                Base62.isDigit($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_")
                    || $0 == UInt8(ascii: ".")
            }
    }
}
