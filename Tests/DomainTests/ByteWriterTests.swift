import Domain
import Support
import Testing

@Suite("ByteWriter")
struct ByteWriterTests {
    private func written(_ body: (inout ByteWriter) -> Void) -> String {
        String(decoding: [UInt8].written(capacity: 8, body), as: UTF8.self)
    }

    @Test("Numbers are written as their descriptions", arguments: [UInt64](1...3))
    func numbers(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let edges: [Int64] = [0, 9, 10, 99, 100, -1, -10, .max, .min, .max / 10, 999_999_999]
        for value in edges
            + (0..<2000).map({ _ in
                Int64(bitPattern: random.next()) >> random.int(0...63)
            })
        {
            #expect(written { $0.append(decimal: value) } == "\(value)", "seed \(seed)")
            let bits = UInt64(bitPattern: value)
            #expect(written { $0.append(base36: bits) } == String(bits, radix: 36))
        }
    }

    @Test("Ids are written in the hexadecimal groups of RFC 9562", arguments: [UInt64](1...3))
    func ids(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        for _ in 0..<500 {
            let id = ID<Item>(high: random.next(), low: random.next())
            let digits = [id.high, id.low].map { half in
                let text = String(half, radix: 16)
                return String(repeating: "0", count: 16 - text.count) + text
            }.joined()
            var groups: [Substring] = []
            var rest = digits[...]
            for length in [8, 4, 4, 4, 12] {
                groups.append(rest.prefix(length))
                rest = rest.dropFirst(length)
            }
            #expect(written { $0.append(id) } == groups.joined(separator: "-"), "seed \(seed)")
        }
    }

    @Test("Texts in quotation marks are JSON, whatever is in them", arguments: [UInt64](1...3))
    func quoted(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let pieces = ["a", "requests_per_month", "\"", "\\", "\n", "\u{7F}", "\u{1F}", "é", "語"]
        for _ in 0..<300 {
            let text = (0..<random.int(0...6)).map { _ in random.pick(pieces) }.joined()
            var json = JSONWriter()
            json.string(text)
            let expected = String(decoding: json.bytes, as: UTF8.self)
            #expect(written { $0.append(quoted: text) } == expected, "seed \(seed)")
        }
    }

    @Test("Scopes are written as their words, and as JSON's list of them")
    func scopes() {
        var sets = Scope.allCases.map { Scopes([$0]) }
        sets += [[], Scopes(Scope.allCases), Scopes.available(to: .user), [.usageWrite, .gate]]
        for set in sets {
            #expect(written { $0.append(words: set) } == set.words.joined(separator: " "))
            var json = JSONWriter()
            json.array(set)
            let expected = String(decoding: json.bytes, as: UTF8.self)
            #expect(written { $0.append(quoted: set) } == expected)
        }
    }

    @Test("In too little memory nothing is written past the end, and it says so")
    func short() {
        func write(_ writer: inout ByteWriter) {
            writer.append("static ")
            writer.append(UInt8(ascii: "x"))
            writer.append("text".description)
            writer.append(decimal: -1_234_567)
            writer.append(ID<Item>(high: 1, low: 2))
            writer.append(Timestamp.epoch)
            writer.append(quoted: "a\"b")
            writer.append(base36: .max)
        }
        let whole = [UInt8].written(capacity: 1, write)
        for capacity in 0...whole.count + 8 {
            var memory = [UInt8](repeating: 0xEE, count: capacity + 32)
            let (count, isShort) = memory.withUnsafeMutableBytes { bytes in
                let part = UnsafeMutableRawBufferPointer(rebasing: bytes[..<capacity])
                var writer = ByteWriter(part)
                write(&writer)
                return (writer.count, writer.isShort)
            }
            #expect(isShort == (capacity < whole.count), "\(capacity)")
            #expect(memory[..<count].elementsEqual(whole[..<count]), "\(capacity)")
            #expect(memory[capacity...].allSatisfy { $0 == 0xEE }, "\(capacity)")
        }
    }
}
