import NIOCore

/// Cuts answers out of what arrives, however it was split on the way (RESP2,
/// https://redis.io/docs/latest/develop/reference/protocol-spec). A pure value: bytes in, replies
/// out. Each byte is looked at once, but for a line that is not whole yet.
struct RedisReplyParser {
    /// What came is no answer, or one that is out of all bounds. Nothing after it can be read.
    struct Unreadable: Error, Equatable {
        let reason: String
    }

    /// Of one answer, with all that is inside of it. A customer's whole state has a few KB.
    static let replyBytesMax = 16 << 20
    /// Of a simple string, an error or a number.
    static let lineBytesMax = 16 << 10
    /// Arrays in arrays.
    static let depthMax = 8
    /// The shortest value: `+`, CR, LF.
    private static let valueBytesMin = 3

    /// An array whose elements are not all there.
    private struct Frame {
        var missing: Int
        var elements: [RedisReply] = []
    }

    private var buffer = ByteBuffer()
    private var open: [Frame] = []
    /// The length of a bulk whose bytes are next.
    private var bulk: Int?
    /// What the answer that is being read may still take.
    private var room = replyBytesMax

    mutating func append(_ bytes: ByteBuffer) {
        guard buffer.readableBytes > 0 else {
            buffer = bytes
            return
        }
        // The beginning of an answer, mostly a few bytes: what was read before it goes.
        buffer.discardReadBytes()
        buffer.writeImmutableBuffer(bytes)
    }

    /// Nil: the rest of it has not arrived.
    mutating func next() throws(Unreadable) -> RedisReply? {
        while let value = try value() {
            if let reply = place(value) {
                room = Self.replyBytesMax
                return reply
            }
        }
        return nil
    }

    /// Puts a value into the array that it belongs to; nil while that is not whole.
    private mutating func place(_ value: RedisReply) -> RedisReply? {
        var value = value
        while var frame = open.popLast() {
            frame.elements.append(value)
            frame.missing -= 1
            guard frame.missing == 0 else {
                open.append(frame)
                return nil
            }
            value = .array(frame.elements)
        }
        return value
    }

    /// The next value that has no elements; arrays before it are opened.
    private mutating func value() throws(Unreadable) -> RedisReply? {
        while true {
            if let length = bulk {
                guard let bytes = try payload(length) else { return nil }
                bulk = nil
                return .bytes(bytes)
            }
            guard let line = try line() else { return nil }
            let text = line.dropFirst()
            switch line.first {
            case UInt8(ascii: "$"):
                guard let length = try length(text) else { return .null }
                try take(length + 2)
                bulk = length
            case UInt8(ascii: "*"):
                guard let count = try length(text) else { return .null }
                if count == 0 { return .array([]) }
                guard count <= room / Self.valueBytesMin else { throw Self.tooLong }
                guard open.count < Self.depthMax else {
                    throw Unreadable(reason: "arrays in arrays without an end")
                }
                open.append(Frame(missing: count))
            case UInt8(ascii: ":"): return .integer(try integer(text))
            case UInt8(ascii: "+"): return .bytes(Array(text))
            case UInt8(ascii: "-"): return .error(String(decoding: text, as: UTF8.self))
            default: throw Unreadable(reason: "no answer of Redis")
            }
        }
    }

    private static let tooLong = Unreadable(
        reason: "an answer of more than \(replyBytesMax) bytes")

    private mutating func take(_ bytes: Int) throws(Unreadable) {
        guard bytes <= room else { throw Self.tooLong }
        room -= bytes
    }

    /// Without its end.
    private mutating func line() throws(Unreadable) -> ByteBufferView? {
        let view = buffer.readableBytesView
        guard let end = view.firstIndex(of: UInt8(ascii: "\n")) else {
            guard view.count <= Self.lineBytesMax else {
                throw Unreadable(reason: "a line of more than \(Self.lineBytesMax) bytes")
            }
            return nil
        }
        guard end > view.startIndex, view[end - 1] == UInt8(ascii: "\r") else {
            throw Unreadable(reason: "a line without its end")
        }
        try take(end + 1 - view.startIndex)
        buffer.moveReaderIndex(to: end + 1)
        return view[view.startIndex..<end - 1]
    }

    private mutating func payload(_ length: Int) throws(Unreadable) -> [UInt8]? {
        guard buffer.readableBytes >= length + 2 else { return nil }
        let bytes = buffer.readBytes(length: length) ?? []
        guard buffer.readInteger(as: UInt16.self) == 0x0D0A else {
            throw Unreadable(reason: "a string without its end")
        }
        return bytes
    }

    /// Nil for -1, which is how null is written.
    private func length(_ text: ByteBufferView) throws(Unreadable) -> Int? {
        let length = try integer(text)
        if length == -1 { return nil }
        guard length >= 0 else { throw Unreadable(reason: "a length below zero") }
        guard length <= Self.replyBytesMax else { throw Self.tooLong }
        return Int(length)
    }

    private func integer(_ text: ByteBufferView) throws(Unreadable) -> Int64 {
        guard let number = Int64(String(decoding: text, as: UTF8.self)) else {
            throw Unreadable(reason: "a number that is none")
        }
        return number
    }
}
