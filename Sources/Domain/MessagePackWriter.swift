/// Writes the few kinds of MessagePack that state shared by several nodes is made of: integers,
/// strings, arrays and maps (the format's specification, version 5).
///
/// Each value takes its shortest form, as the `cmsgpack` of Redis's scripts writes it.
package struct MessagePackWriter: Sendable {
    package private(set) var bytes: [UInt8] = []
    /// Every number so far is below 2^53, as far as doubles count by ones: Lua has no others.
    package private(set) var fitsDoubles = true

    package init(capacity: Int = 256) { bytes.reserveCapacity(capacity) }

    package mutating func integer(_ value: Int64) {
        if value.magnitude >= UInt64(JSON.integerMax) { fitsDoubles = false }
        switch value {
        case -32...127: bytes.append(UInt8(truncatingIfNeeded: value))
        case 128...0xFF: tagged(0xCC, value, 1)
        case 0x100...0xFFFF: tagged(0xCD, value, 2)
        case 0x1_0000...0xFFFF_FFFF: tagged(0xCE, value, 4)
        case 0x1_0000_0000...Int64.max: tagged(0xCF, value, 8)
        case -0x80..<(-32): tagged(0xD0, value, 1)
        case -0x8000..<(-0x80): tagged(0xD1, value, 2)
        case -0x8000_0000..<(-0x8000): tagged(0xD2, value, 4)
        default: tagged(0xD3, value, 8)
        }
    }

    /// Any bytes: Lua does not tell text from them either.
    package mutating func string(_ value: some Collection<UInt8>) {
        header(count: value.count, short: 0xA0, shortMax: 31, byte: 0xD9, wide: 0xDA)
        bytes.append(contentsOf: value)
    }

    package mutating func string(_ value: String) { string(value.utf8) }

    /// Sixteen bytes, or none.
    package mutating func string<Noun>(_ id: ID<Noun>?) {
        guard let id else { return string("") }
        bytes.append(0xB0)
        append(id.high, 8)
        append(id.low, 8)
    }

    /// The elements follow: as many values as `count`.
    package mutating func array(_ count: Int) {
        header(count: count, short: 0x90, shortMax: 15, byte: nil, wide: 0xDC)
    }

    /// The members follow: as many pairs of a string and a value as `count`.
    package mutating func map(_ count: Int) {
        header(count: count, short: 0x80, shortMax: 15, byte: nil, wide: 0xDE)
    }

    /// A string that is MessagePack itself: whoever does not need what is in it passes it over.
    package mutating func packed(_ body: (inout MessagePackWriter) -> Void) {
        var inner = MessagePackWriter()
        body(&inner)
        string(inner.bytes)
        fitsDoubles = fitsDoubles && inner.fitsDoubles
    }

    package mutating func append(_ other: MessagePackWriter) {
        bytes.append(contentsOf: other.bytes)
        fitsDoubles = fitsDoubles && other.fitsDoubles
    }

    private mutating func header(
        count: Int, short: UInt8, shortMax: Int, byte: UInt8?, wide: UInt8
    ) {
        if count <= shortMax {
            bytes.append(short | UInt8(truncatingIfNeeded: count))
        } else if count <= 0xFF, let byte {
            tagged(byte, Int64(count), 1)
        } else if count <= 0xFFFF {
            tagged(wide, Int64(count), 2)
        } else {
            tagged(wide + 1, Int64(count), 4)
        }
    }

    private mutating func tagged(_ tag: UInt8, _ value: Int64, _ width: Int) {
        bytes.append(tag)
        append(UInt64(bitPattern: value), width)
    }

    /// The lowest bytes of a number, the highest of them first.
    private mutating func append(_ value: UInt64, _ width: Int) {
        for place in (0..<width).reversed() {
            bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(8 * place)))
        }
    }
}
