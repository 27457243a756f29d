import NIOCore
import Support
import Testing

@testable import Appliance

@Suite("Redis answers")
struct RedisReplyParserTests {
    /// Everything that these bytes hold, and whether they end with a whole answer.
    private static func replies(_ parts: [[UInt8]]) throws -> [RedisReply] {
        var parser = RedisReplyParser()
        var found: [RedisReply] = []
        for part in parts {
            parser.append(ByteBuffer(bytes: part))
            while let reply = try parser.next() { found.append(reply) }
        }
        return found
    }

    private static func replies(_ text: String) throws -> [RedisReply] {
        try replies([Array(text.utf8)])
    }

    private static func refusal(_ text: String) -> String? {
        do {
            _ = try replies(text)
            return nil
        } catch {
            return (error as? RedisReplyParser.Unreadable)?.reason
        }
    }

    @Test("each kind of answer is read")
    func kinds() throws {
        #expect(try Self.replies("+OK\r\n") == [.bytes(Array("OK".utf8))])
        #expect(try Self.replies("-ERR no\r\n") == [.error("ERR no")])
        #expect(try Self.replies(":-9223372036854775808\r\n") == [.integer(.min)])
        #expect(try Self.replies("$0\r\n\r\n$2\r\n\r\n\r\n") == [.bytes([]), .bytes([13, 10])])
        #expect(try Self.replies("$-1\r\n*-1\r\n*0\r\n") == [.null, .null, .array([])])
        #expect(
            try Self.replies("*2\r\n*1\r\n:1\r\n*2\r\n-E\r\n$-1\r\n")
                == [.array([.array([.integer(1)]), .array([.error("E"), .null])])])
    }

    @Test("what was cut anywhere on the way is read as it was sent", arguments: 1...200)
    func splits(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let sent = (0..<random.int(1...20)).map { _ in Self.anyReply(&random, depth: 0) }
        var bytes: [UInt8] = []
        for reply in sent { Self.write(reply, into: &bytes) }
        var parts: [[UInt8]] = []
        let most = random.pick([1, 3, 40, 5000] as [Int64])
        while !bytes.isEmpty {
            let part = Array(bytes.prefix(Int(random.int(1...most))))
            bytes.removeFirst(part.count)
            parts.append(part)
        }
        #expect(try Self.replies(parts) == sent)
    }

    @Test("any bytes are read or refused, and nothing else", arguments: 1...200)
    func noise(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let signs = Array("+-:$*0123456789\r\n\r\n-1x".utf8)
        let bytes = (0..<random.int(1...400)).map { _ in
            random.chance(5) ? UInt8(random.int(0...255)) : random.pick(signs)
        }
        do {
            for reply in try Self.replies([bytes]) { Self.expectBounded(reply, depth: 0) }
        } catch {
            #expect(error is RedisReplyParser.Unreadable)
        }
    }

    private static func expectBounded(_ reply: RedisReply, depth: Int) {
        guard case .array(let elements) = reply else { return }
        #expect(depth < RedisReplyParser.depthMax)
        for element in elements { expectBounded(element, depth: depth + 1) }
    }

    @Test("what is no answer is refused")
    func malformed() {
        #expect(Self.refusal("HTTP/1.1 400 Bad Request\r\n") == "no answer of Redis")
        #expect(Self.refusal("\r\n") == "no answer of Redis")
        #expect(Self.refusal("+OK\n") == "a line without its end")
        #expect(Self.refusal("\n") == "a line without its end")
        #expect(Self.refusal(":1x\r\n") == "a number that is none")
        #expect(Self.refusal(":9223372036854775808\r\n") == "a number that is none")
        #expect(Self.refusal("$-2\r\n") == "a length below zero")
        #expect(Self.refusal("$2\r\nabc\r\n") == "a string without its end")
    }

    @Test("what is out of bounds is refused before it is kept")
    func bounds() throws {
        let most = RedisReplyParser.replyBytesMax
        #expect(Self.refusal("$\(most)\r\n")?.hasPrefix("an answer of more than") == true)
        #expect(Self.refusal("*\(most)\r\n")?.hasPrefix("an answer of more than") == true)
        #expect(Self.refusal("*9223372036854775807\r\n")?.hasPrefix("an answer of more") == true)
        // The second string alone would fit.
        let half = String(repeating: "x", count: most / 2)
        let two = "*2\r\n$\(half.utf8.count)\r\n\(half)\r\n$\(half.utf8.count)\r\n"
        #expect(Self.refusal(two)?.hasPrefix("an answer of more than") == true)
        #expect(try Self.replies("$\(half.utf8.count)\r\n\(half)\r\n:1\r\n").count == 2)
        let nested = String(repeating: "*1\r\n", count: RedisReplyParser.depthMax)
        #expect(try Self.replies(nested + ":1\r\n").count == 1)
        #expect(Self.refusal(nested + "*1\r\n") == "arrays in arrays without an end")
        let line = String(repeating: "x", count: RedisReplyParser.lineBytesMax + 1)
        #expect(Self.refusal("+" + line)?.hasPrefix("a line of more than") == true)
    }

    @Test("a command is an array of strings, of any bytes")
    func command() {
        let command = RedisCommand("SET", [Array("k".utf8), [13, 10, 0]])
        #expect(
            command.bytes
                == Array("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$3\r\n\r\n\0\r\n".utf8))
    }

    // MARK: The other way

    private static func anyReply(_ random: inout SplitMix64, depth: Int) -> RedisReply {
        switch random.int(depth < 4 ? 1...7 : 1...5) {
        case 1: return .null
        case 2: return .integer(random.int(Int64.min...Int64.max))
        case 3: return .error("ERR \(random.int(0...1_000_000))")
        case 4, 5: return .bytes((0..<random.int(0...300)).map { _ in UInt8(random.int(0...255)) })
        default:
            return .array((0..<random.int(0...6)).map { _ in anyReply(&random, depth: depth + 1) })
        }
    }

    private static func write(_ reply: RedisReply, into bytes: inout [UInt8]) {
        switch reply {
        case .null: bytes += "$-1\r\n".utf8
        case .integer(let number): bytes += ":\(number)\r\n".utf8
        case .error(let words): bytes += "-\(words)\r\n".utf8
        case .bytes(let text):
            bytes += "$\(text.count)\r\n".utf8
            bytes += text
            bytes += "\r\n".utf8
        case .array(let elements):
            bytes += "*\(elements.count)\r\n".utf8
            for element in elements { write(element, into: &bytes) }
        }
    }
}
