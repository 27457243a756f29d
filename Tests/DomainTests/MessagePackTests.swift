import Domain
import Support
import Testing

@Suite("MessagePack")
struct MessagePackTests {
    private static func written(_ body: (inout MessagePackWriter) -> Void) -> [UInt8] {
        var writer = MessagePackWriter()
        body(&writer)
        return writer.bytes
    }

    /// Of the specification: every form's first and last number.
    private static let forms: [(Int64, [UInt8])] = [
        (0, [0x00]), (127, [0x7F]), (128, [0xCC, 0x80]), (255, [0xCC, 0xFF]),
        (256, [0xCD, 0x01, 0x00]), (65_535, [0xCD, 0xFF, 0xFF]),
        (65_536, [0xCE, 0, 1, 0, 0]), (4_294_967_295, [0xCE, 0xFF, 0xFF, 0xFF, 0xFF]),
        (4_294_967_296, [0xCF, 0, 0, 0, 1, 0, 0, 0, 0]),
        (.max, [0xCF, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]),
        (-1, [0xFF]), (-32, [0xE0]), (-33, [0xD0, 0xDF]), (-128, [0xD0, 0x80]),
        (-129, [0xD1, 0xFF, 0x7F]), (-32_768, [0xD1, 0x80, 0x00]),
        (-32_769, [0xD2, 0xFF, 0xFF, 0x7F, 0xFF]), (-2_147_483_648, [0xD2, 0x80, 0, 0, 0]),
        (-2_147_483_649, [0xD3, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF]),
        (.min, [0xD3, 0x80, 0, 0, 0, 0, 0, 0, 0]),
    ]

    @Test("An integer takes its shortest form and comes back", arguments: forms)
    func integers(value: Int64, bytes: [UInt8]) throws {
        #expect(Self.written { $0.integer(value) } == bytes)
        var reader = MessagePackReader(bytes[...])
        #expect(try reader.integer() == value)
        try reader.end()
    }

    @Test("A string of any length comes back", arguments: [0, 31, 32, 255, 256, 65_535, 65_536])
    func strings(length: Int) throws {
        let text = [UInt8](repeating: 0xC1, count: length)
        let bytes = Self.written { $0.string(text) }
        let header = [0: 1, 31: 1, 32: 2, 255: 2, 256: 3, 65_535: 3, 65_536: 5][length]
        #expect(bytes.count - length == header)
        var reader = MessagePackReader(bytes[...])
        #expect(try reader.string() == text[...])
        try reader.end()
        for cut in [0, bytes.count / 2, bytes.count - 1] {
            var short = MessagePackReader(bytes.prefix(cut))
            #expect(throws: MessagePackReader.Unreadable.self) { try short.string() }
        }
    }

    @Test("Arrays and maps of any count come back", arguments: [0, 15, 16, 65_535, 65_536])
    func counts(count: Int) throws {
        let zeros = [UInt8](repeating: 0, count: count)
        var array = MessagePackReader((Self.written { $0.array(count) } + zeros)[...])
        #expect(try array.array() == count)
        var map = MessagePackReader((Self.written { $0.map(count) } + zeros)[...])
        #expect(try map.map() == count)
    }

    @Test("A count is believed only as far as there are bytes")
    func greedy() {
        for bytes: [UInt8] in [[0xDD, 0xFF, 0xFF, 0xFF, 0xFF], [0xDC, 0, 2, 0], [0x91]] {
            var reader = MessagePackReader(bytes[...])
            #expect(throws: MessagePackReader.Unreadable.self) { try reader.array() }
        }
    }

    @Test("An empty array is an empty map: Lua has one table for both")
    func emptyTable() throws {
        var reader = MessagePackReader([0x90])
        #expect(try reader.map() == 0)
        try reader.end()
    }

    @Test(
        "Nil, booleans, floats, binary, extensions and numbers past 63 bits are refused",
        arguments: [
            [0xC0], [0xC2], [0xCB, 0, 0, 0, 0, 0, 0, 0, 0], [0xCA, 0, 0, 0, 0], [0xC4, 0],
            [0xD4, 0, 0], [0xC7, 0, 0], [0xCF, 0x80, 0, 0, 0, 0, 0, 0, 0], [0xC1], [],
        ]
    )
    func others(bytes: [UInt8]) {
        let reader = MessagePackReader(bytes[...])
        for ask: (inout MessagePackReader) throws -> Void in [
            { _ = try $0.integer() }, { _ = try $0.string() }, { _ = try $0.array() },
            { _ = try $0.map() },
        ] {
            var reader = reader
            #expect(throws: MessagePackReader.Unreadable.self) { try ask(&reader) }
        }
    }

    @Test("An id is sixteen bytes, or none")
    func ids() throws {
        var random = SplitMix64(seed: 1)
        let id = UserID(at: Timestamp(milliseconds: 1_800_000_000_000), using: &random)
        let bytes = Self.written {
            $0.string(id)
            $0.string(UserID?.none)
            $0.string("fifteen bytes …")
        }
        var reader = MessagePackReader(bytes[...])
        #expect(try reader.id() == id)
        #expect(try reader.id() as UserID? == nil)
        #expect(throws: MessagePackReader.Unreadable.self) { try reader.id() as UserID? }
    }

    @Test("Whether Lua holds every number is known, of what is packed too")
    func doubles() {
        var writer = MessagePackWriter()
        writer.integer(JSON.integerMax - 1)
        writer.packed { $0.integer(1 - JSON.integerMax) }
        #expect(writer.fitsDoubles)
        writer.packed { $0.packed { $0.integer(JSON.integerMax) } }
        #expect(!writer.fitsDoubles)
    }
}
