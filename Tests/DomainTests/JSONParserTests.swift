import Domain
import Testing

@Suite("JSONParser")
struct JSONParserTests {
    private func parse(_ text: String) throws -> JSON { try JSONParser.parse(Array(text.utf8)) }

    @Test(
        "Values of every kind are read",
        arguments: [
            ("null", .null), (" true ", .bool(true)), ("false", .bool(false)), ("0", .integer(0)),
            ("-7", .integer(-7)), ("9223372036854775807", .integer(.max)),
            ("-9223372036854775808", .integer(.min)),
            ("9223372036854775808", .decimal("9223372036854775808")), ("1.50", .decimal("1.50")),
            ("1E+400", .decimal("1E+400")), ("0.1e-7", .decimal("0.1e-7")), ("\"\"", .string("")),
            ("[]", .array([])), ("{}", .object([])),
            ("\t\r\n [ 1 , 2 ] ", .array([.integer(1), .integer(2)])),
            ("{\"b\":1,\"a\":null}", .object([.init("b", .integer(1)), .init("a", .null)])),
        ] as [(String, JSON)])
    func accepts(text: String, expected: JSON) throws {
        #expect(try parse(text) == expected)
    }

    @Test(
        "Escapes are read",
        arguments: [
            (#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{C}\n\r\t"), (#""\u00e9""#, "é"),
            (#""\u00E9""#, "é"), (#""\ud83d\ude00""#, "😀"), (#""\u0000""#, "\0"), ("\"é😀\"", "é😀"),
            (#""\uFFFF""#, "\u{FFFF}"), (#""\uDBFF\uDFFF""#, "\u{10FFFF}"),
        ])
    func escapes(text: String, expected: String) throws {
        #expect(try parse(text) == .string(expected))
    }

    @Test(
        "Text that is no JSON is refused",
        arguments: [
            "", " ", "nul", "True", "nullx", "1 2", "{} {}", "[1,]", "[,1]", "[1 2]", "[1", "]",
            "{\"a\":1,}", "{\"a\"}", "{\"a\" 1}", "{a:1}", "{1:1}", "{'a':1}", "{\"a\":1", "{,}",
            "01", "-01", "00", "+1", "-", ".5", "1.", "1e", "1e+", "1.e1", "0x10", "NaN",
            "Infinity",
            "-Infinity", "1_000", "\"", "\"abc", "\"\\\"", "\"\\x\"", "\"\\u12\"", "\"\\u12g4\"",
            "\"\u{1}\"", "\"a\nb\"", "\"\t\"", "// a\n1", "/* a */ 1", "\u{FEFF}1", "[1]\u{0}",
            "\u{A0}1", "'a'", "\"\\u+123\"",
        ])
    func refuses(text: String) {
        #expect(throws: JSONParser.Failure.self) { try parse(text) }
    }

    @Test(
        "Half a surrogate pair is refused",
        arguments: [
            #""\ud800""#, #""\udc00""#, #""\ud800\ud800""#, #""\ud800x""#, #""\ud800\n""#,
            #""\udc00\ud800""#, #""\ud800\u0041""#,
        ])
    func surrogates(text: String) {
        #expect(throws: JSONParser.Failure.self) { try parse(text) }
    }

    @Test(
        "Bytes that are no UTF-8 are refused",
        arguments: [
            [0xFF], [0xC0, 0xAF], [0xC3], [0xE2, 0x82], [0xED, 0xA0, 0x80],
            [0xF4, 0x90, 0x80, 0x80],
            [0x80], [0xF0, 0x80, 0x80, 0xAF], [0xF8, 0x88, 0x80, 0x80, 0x80],
        ] as [[UInt8]])
    func utf8(bytes: [UInt8]) {
        let quote = UInt8(ascii: "\"")
        #expect(throws: JSONParser.Failure.self) { try JSONParser.parse([quote] + bytes + [quote]) }
        let name = Array("{\"".utf8) + bytes + Array("\":1}".utf8)
        #expect(throws: JSONParser.Failure.self) { try JSONParser.parse(name) }
        #expect(throws: JSONParser.Failure.self) { try JSONParser.parse(bytes) }
    }

    @Test(
        "A member that stands there twice is refused, however it is spelt",
        arguments: [
            #"{"a":1,"a":1}"#, #"{"a":1,"b":2,"a":3}"#, #"{"a":1,"\u0061":2}"#,
            #"[{"x":{"a":1,"a":2}}]"#,
            #"{"":1,"":2}"#,
        ])
    func duplicates(text: String) {
        #expect(throws: JSONParser.Failure.self) { try parse(text) }
    }

    @Test("The same name in two objects is no duplicate")
    func sameNameElsewhere() throws {
        #expect(throws: Never.self) { try parse(#"[{"a":1},{"a":{"a":2}}]"#) }
    }

    @Test("32 levels are read, 33 are refused", arguments: ["[", "{\"a\":"])
    func depth(open: String) {
        let close = open == "[" ? "]" : "}"
        func nested(_ levels: Int) -> String {
            String(repeating: open, count: levels) + (open == "[" ? "" : "1")
                + String(repeating: close, count: levels)
        }
        #expect(throws: Never.self) { try parse(nested(32)) }
        #expect(throws: JSONParser.Failure.self) { try parse(nested(33)) }
        #expect(throws: JSONParser.Failure.self) {
            try parse(String(repeating: open, count: 100_000))
        }
    }

    @Test("Levels side by side do not add up")
    func siblings() throws {
        let text = "[" + Array(repeating: "[[]]", count: 100).joined(separator: ",") + "]"
        #expect(throws: Never.self) { try parse(text) }
    }

    @Test("1000 members are read, 1001 are refused, in one object or in many")
    func members() {
        func object(_ range: Range<Int>) -> String {
            "{" + range.map { "\"m\($0)\":0" }.joined(separator: ",") + "}"
        }
        #expect(throws: Never.self) { try parse(object(0..<1000)) }
        #expect(throws: JSONParser.Failure.self) { try parse(object(0..<1001)) }
        let halves = "[" + object(0..<500) + "," + object(0..<501) + "]"
        #expect(throws: JSONParser.Failure.self) { try parse(halves) }
    }

    @Test("A number of 64 characters is read, a longer one is refused")
    func longNumbers() throws {
        let digits = String(repeating: "1", count: 64)
        #expect(try parse(digits) == .decimal(digits))
        #expect(throws: JSONParser.Failure.self) { try parse(digits + "1") }
    }

    @Test(
        "A failure says at which byte it stands",
        arguments: [("[1,2]]", 5), ("{\"é\": x}", 7), ("", 0), ("[1,", 3)])
    func offsets(text: String, offset: Int) {
        #expect { try parse(text) } throws: { ($0 as? JSONParser.Failure)?.offset == offset }
    }

    @Test("A lookup by name finds the member of an object alone")
    func lookup() throws {
        let json = try parse(#"{"a":1,"b":[2]}"#)
        #expect(json["a"] == .integer(1))
        #expect(json["c"] == nil)
        #expect(JSON.array([])["a"] == nil)
    }
}
