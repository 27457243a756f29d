/// Digits, upper-case and lower-case letters: text that survives a double click, a URL and a shell.
package enum Base62 {
    private static let digits = Array(
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)

    package static func isDigit(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "a")...UInt8(ascii: "z"):
            true
        default: false
        }
    }

    /// `count` digits, each uniform: `Int.random` draws without bias.
    package static func random(
        _ count: Int, using random: inout some RandomNumberGenerator
    ) -> String {
        String(
            decoding: (0..<count).map { _ in digits[Int.random(in: 0..<62, using: &random)] },
            as: UTF8.self)
    }

    /// `value` in exactly six digits (62^6 > 2^32).
    package static func sixDigits(_ value: UInt32) -> [UInt8] {
        var rest = value
        var text = [UInt8](repeating: 0, count: 6)
        for place in text.indices.reversed() { text[place] = lastDigit(&rest) }
        return text
    }

    /// Whether the text is those six digits, without making them.
    static func isSixDigits(_ text: some BidirectionalCollection<UInt8>, of value: UInt32) -> Bool {
        var rest = value
        return text.count == 6 && text.reversed().allSatisfy { $0 == lastDigit(&rest) }
    }

    private static func lastDigit(_ rest: inout UInt32) -> UInt8 {
        let digit = digits[Int(rest % 62)]
        rest /= 62
        return digit
    }
}

/// CRC-32 as in IEEE 802.3 and zlib: reflected polynomial 0xEDB88320.
package enum CRC32 {
    private static let table: [UInt32] = (0..<256).map { start in
        (0..<8).reduce(UInt32(start)) { crc, _ in crc & 1 == 1 ? crc >> 1 ^ 0xEDB8_8320 : crc >> 1 }
    }

    package static func checksum(_ bytes: [UInt8]) -> UInt32 {
        bytes.withUnsafeBufferPointer { checksum($0) }
    }

    static func checksum(_ bytes: UnsafeBufferPointer<UInt8>) -> UInt32 {
        table.withUnsafeBufferPointer { table in
            var crc = UInt32.max
            for byte in bytes { crc = crc >> 8 ^ table[Int(UInt8(truncatingIfNeeded: crc) ^ byte)] }
            return ~crc
        }
    }
}
