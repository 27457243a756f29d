/// Reads what `MessagePackWriter` writes, and nothing else: no floats, no nil, no booleans, no
/// binary, no extensions.
///
/// Values are asked for by their kind, so neither depth nor size is the sender's choice: a count is
/// believed only as far as there are bytes for it.
package struct MessagePackReader {
    /// The bytes are not what was asked for.
    package struct Unreadable: Error {}

    private var rest: ArraySlice<UInt8>

    package init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

    package mutating func integer() throws(Unreadable) -> Int64 {
        let tag = try byte()
        switch tag {
        case 0x00...0x7F: return Int64(tag)
        case 0xE0...0xFF: return Int64(Int8(bitPattern: tag))
        case 0xCC: return Int64(try number(1))
        case 0xCD: return Int64(try number(2))
        case 0xCE: return Int64(try number(4))
        case 0xCF:
            guard let value = Int64(exactly: try number(8)) else { throw Unreadable() }
            return value
        case 0xD0: return Int64(Int8(truncatingIfNeeded: try number(1)))
        case 0xD1: return Int64(Int16(truncatingIfNeeded: try number(2)))
        case 0xD2: return Int64(Int32(truncatingIfNeeded: try number(4)))
        case 0xD3: return Int64(bitPattern: try number(8))
        default: throw Unreadable()
        }
    }

    package mutating func integer(in range: ClosedRange<Int64>) throws(Unreadable) -> Int64 {
        let value = try integer()
        guard range.contains(value) else { throw Unreadable() }
        return value
    }

    package mutating func string() throws(Unreadable) -> ArraySlice<UInt8> {
        let tag = try byte()
        switch tag {
        case 0xA0...0xBF: return try take(UInt64(tag & 0x1F))
        case 0xD9: return try take(try number(1))
        case 0xDA: return try take(try number(2))
        case 0xDB: return try take(try number(4))
        default: throw Unreadable()
        }
    }

    /// Nil for a string of no bytes.
    package mutating func id<Noun>() throws(Unreadable) -> ID<Noun>? {
        let bytes = try string()
        if bytes.isEmpty { return nil }
        guard bytes.count == 16 else { throw Unreadable() }
        return ID(
            high: bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) },
            low: bytes.suffix(8).reduce(0) { $0 << 8 | UInt64($1) })
    }

    /// How many elements follow.
    package mutating func array() throws(Unreadable) -> Int {
        let tag = try byte()
        switch tag {
        case 0x90...0x9F: return try checked(UInt64(tag & 0x0F))
        case 0xDC: return try count(2)
        case 0xDD: return try count(4)
        default: throw Unreadable()
        }
    }

    /// How many pairs follow. An empty map may be an empty array: Lua has one table for both.
    package mutating func map() throws(Unreadable) -> Int {
        let tag = try byte()
        switch tag {
        case 0x80...0x8F: return try checked(UInt64(tag & 0x0F))
        case 0x90: return 0
        case 0xDE: return try count(2)
        case 0xDF: return try count(4)
        default: throw Unreadable()
        }
    }

    /// A string that is MessagePack itself.
    package mutating func packed() throws(Unreadable) -> MessagePackReader {
        MessagePackReader(try string())
    }

    package var isAtEnd: Bool { rest.isEmpty }

    /// Nothing follows.
    package func end() throws(Unreadable) {
        guard rest.isEmpty else { throw Unreadable() }
    }

    private mutating func count(_ width: UInt64) throws(Unreadable) -> Int {
        let value = try number(width)
        return try checked(value)
    }

    /// Every element takes a byte at least.
    private func checked(_ value: UInt64) throws(Unreadable) -> Int {
        guard value <= UInt64(rest.count) else { throw Unreadable() }
        return Int(value)
    }

    private mutating func byte() throws(Unreadable) -> UInt8 {
        guard let byte = rest.popFirst() else { throw Unreadable() }
        return byte
    }

    private mutating func number(_ width: UInt64) throws(Unreadable) -> UInt64 {
        try take(width).reduce(0) { $0 << 8 | UInt64($1) }
    }

    private mutating func take(_ length: UInt64) throws(Unreadable) -> ArraySlice<UInt8> {
        guard length <= UInt64(rest.count) else { throw Unreadable() }
        let taken = rest.prefix(Int(length))
        rest.removeFirst(taken.count)
        return taken
    }
}
