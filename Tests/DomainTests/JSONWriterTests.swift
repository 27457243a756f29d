import Domain
import Support
import Testing

@Suite("JSONWriter")
struct JSONWriterTests {
    private func written(_ body: (inout JSONWriter) -> Void) -> String {
        var writer = JSONWriter()
        body(&writer)
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    @Test("Members and elements are separated by commas")
    func commas() {
        let text = written { json in
            json.object { json in
                json.member("a", Int64(1))
                json.member("b", ["x", "y"])
                json.member("c") { $0.object { _ in } }
                json.member("d") { json in json.array([Int64(1), 2]) { $0.integer($1) } }
                json.member("e", String?.none)
                json.member("f", true)
            }
        }
        #expect(text == #"{"a":1,"b":["x","y"],"c":{},"d":[1,2],"e":null,"f":true}"#)
    }

    @Test("A string that ends like a bracket does not lose the comma after it")
    func brackets() {
        let text = written { $0.array(["{", "["]) { $0.string($1) } }
        #expect(text == #"["{","["]"#)
    }

    @Test("Control characters, quotes and backslashes are escaped")
    func escapes() {
        #expect(
            written { $0.string("\"\\\n\u{0}\u{1F}\u{7F}é") } == #""\"\\\u000a\u0000\u001f\u007fé""#
        )
    }

    @Test("Moments and ids are written as their text")
    func values() {
        let id = ID<Item>(high: 0x017F_22E2_79B0_7CC3, low: 0x98C4_DC0C_0C07_398F)
        let text = written { json in
            json.object { json in
                json.member("at", Timestamp.epoch)
                json.member("never", Timestamp?.none)
                json.member("id", id)
            }
        }
        #expect(
            text == #"{"at":"1970-01-01T00:00:00.000Z","never":null,"#
                + #""id":"017f22e2-79b0-7cc3-98c4-dc0c0c07398f"}"#)
    }

    @Test("Our own integers stop at 2^53, a client's come back as they were sent")
    func integers() {
        #expect(written { $0.integer(1 << 53) } == "9007199254740992")
        #expect(written { $0.integer(.max) } == "9007199254740992")
        #expect(written { $0.value(.integer(.max)) } == "9223372036854775807")
        #expect(written { $0.value(.integer(.min)) } == "-9223372036854775808")
        #expect(written { $0.value(.decimal("1.50")) } == "1.50")
    }

    @Test("Any JSON value comes back from what was written")
    func roundTrip() throws {
        let seed: UInt64 = 0x1507
        var random = SplitMix64(seed: seed)
        for _ in 0..<2000 {
            let value = Self.value(depth: 0, &random)
            let read = try JSONParser.parse(Array(value.encoded.utf8))
            #expect(read == value, "seed \(seed)")
            #expect(read.encoded == value.encoded, "seed \(seed)")
        }
    }

    private static func value(depth: Int, _ random: inout SplitMix64) -> JSON {
        switch random.int(0...(depth > 4 ? 4 : 6)) {
        case 0: return .null
        case 1: return .bool(random.chance(50))
        case 2: return .integer(Int64(bitPattern: random.next()) >> random.int(0...63))
        case 3:
            return .decimal(random.pick(["0.5", "-1e9", "1E-7", "123456789012345678901", "-0.0"]))
        case 4: return .string(text(&random))
        case 5: return .array((0..<random.int(0...5)).map { _ in value(depth: depth + 1, &random) })
        default:
            return .object(
                (0..<random.int(0...5)).map {
                    JSON.Member("\($0)" + text(&random), value(depth: depth + 1, &random))
                })
        }
    }

    private static func text(_ random: inout SplitMix64) -> String {
        var text = ""
        for _ in 0..<random.int(0...8) {
            let values: [UInt32] = [
                UInt32(random.int(0...0x7F)), UInt32(random.int(0x80...0xD7FF)),
                UInt32(random.int(0xE000...0x10FFFF)),
            ]
            if let scalar = Unicode.Scalar(random.pick(values)) {
                text.unicodeScalars.append(scalar)
            }
        }
        return text
    }
}
