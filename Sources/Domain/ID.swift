/// The identity of a `Noun`: a UUIDv7 (RFC 9562, 5.7), so ids sort by the time they were made.
///
/// The phantom type keeps a user's id from being taken for a key's. Text is lower-case canonical
/// form only: an id has one spelling in URLs, logs and the store.
package struct ID<Noun>: Hashable, Sendable {
    package let high: UInt64
    package let low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// 48 bits of time and 74 random ones.
    package init(at now: Timestamp, using random: inout some RandomNumberGenerator) {
        let time = UInt64(truncatingIfNeeded: now.milliseconds) << 16
        high = time | 0x7000 | (random.next() & 0x0FFF)
        low = 0x8000_0000_0000_0000 | (random.next() >> 2)
    }
}

extension ID: Comparable {
    package static func < (a: ID, b: ID) -> Bool { (a.high, a.low) < (b.high, b.low) }
}

extension ID: CustomStringConvertible, LosslessStringConvertible {
    package var description: String {
        String(unsafeUninitializedCapacity: Self.length) { text in
            var writer = ByteWriter(UnsafeMutableRawBufferPointer(text))
            writer.append(self)
            return writer.count
        }
    }

    /// Bytes of the description.
    static var length: Int { 36 }

    /// Four groups of eight digits; the two in the middle have a hyphen in theirs.
    func write(to text: UnsafeMutableRawPointer) {
        let groups = (
            Hex.digits(of: UInt32(truncatingIfNeeded: high >> 32)),
            Hex.digits(of: UInt32(truncatingIfNeeded: high)),
            Hex.digits(of: UInt32(truncatingIfNeeded: low >> 32)),
            Hex.digits(of: UInt32(truncatingIfNeeded: low))
        )
        text.storeBytes(of: groups.0, as: UInt64.self)
        // The first four digits, and over what follows them the hyphen and the other four.
        text.storeBytes(of: groups.1, toByteOffset: 9, as: UInt64.self)
        text.storeBytes(of: groups.1 >> 32, toByteOffset: 14, as: UInt64.self)
        text.storeBytes(of: groups.2, toByteOffset: 19, as: UInt64.self)
        text.storeBytes(of: groups.2 >> 32, toByteOffset: 24, as: UInt64.self)
        text.storeBytes(of: groups.3, toByteOffset: 28, as: UInt64.self)
        let hyphen = UInt8(ascii: "-")
        text.storeBytes(of: hyphen, toByteOffset: 8, as: UInt8.self)
        text.storeBytes(of: hyphen, toByteOffset: 13, as: UInt8.self)
        text.storeBytes(of: hyphen, toByteOffset: 18, as: UInt8.self)
        text.storeBytes(of: hyphen, toByteOffset: 23, as: UInt8.self)
    }

    package init?(_ text: String) {
        var halves: (UInt64, UInt64) = (0, 0)
        var at = 0
        for byte in text.utf8 {
            if at == 8 || at == 13 || at == 18 || at == 23 {
                guard byte == UInt8(ascii: "-") else { return nil }
            } else {
                guard at < 36, let digit = Hex.value(of: byte) else { return nil }
                if at < 18 {
                    halves.0 = halves.0 << 4 | UInt64(digit)
                } else {
                    halves.1 = halves.1 << 4 | UInt64(digit)
                }
            }
            at += 1
        }
        guard at == 36 else { return nil }
        self.init(high: halves.0, low: halves.1)
    }
}

/// Lower-case hexadecimal.
package enum Hex {
    /// The digit of a value below 16.
    static func digit(_ value: UInt8) -> UInt8 {
        value + (value < 10 ? UInt8(ascii: "0") : UInt8(ascii: "a") - 10)
    }

    static func value(of byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        default: nil
        }
    }

    /// The eight digits of a value, the first one in the lowest byte: the first in memory.
    static func digits(of value: UInt32) -> UInt64 {
        // One half byte in each byte,
        var spread = UInt64(value)
        spread = (spread | spread << 16) & 0x0000_FFFF_0000_FFFF
        spread = (spread | spread << 8) & 0x00FF_00FF_00FF_00FF
        spread = (spread | spread << 4) & 0x0F0F_0F0F_0F0F_0F0F
        // and a 1 in those that are letters, which begin 39 places behind the digit after 9.
        let letters = (spread + 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101
        return (spread + letters * 39 + 0x3030_3030_3030_3030).byteSwapped
    }

    /// Nil for what is no hexadecimal of whole bytes.
    package static func bytes(of text: String) -> [UInt8]? {
        let digits = text.utf8.map { value(of: $0) }
        guard digits.count.isMultiple(of: 2) else { return nil }
        var bytes: [UInt8] = []
        for place in stride(from: 0, to: digits.count, by: 2) {
            guard let high = digits[place], let low = digits[place + 1] else { return nil }
            bytes.append(high << 4 | low)
        }
        return bytes
    }

    package static func text(of bytes: some Sequence<UInt8>) -> String {
        var text = [UInt8]()
        for byte in bytes {
            text.append(digit(byte >> 4))
            text.append(digit(byte & 15))
        }
        return String(decoding: text, as: UTF8.self)
    }
}
