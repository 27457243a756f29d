import Domain
import Testing

@Suite("A JSON number")
struct JSONTests {
    @Test(
        "is an integer when it is whole, however it is written",
        arguments: [
            ("3600", 3600), ("3600.0", 3600), ("3.6e3", 3600), ("36000e-1", 3600),
            ("-2.50E+1", -25),
            ("0.000", 0), ("-0.0", 0), ("0e999999999999", 0), ("9007199254740992.0", 1 << 53),
            ("9.223372036854775807e18", Int64.max), ("-9223372036854775808.0", Int64.min),
        ] as [(String, Int64)])
    func whole(literal: String, value: Int64) throws {
        #expect(try JSONParser.parse(Array(literal.utf8)).whole == value)
    }

    @Test(
        "is none when it is not, or has no place in 64 bits",
        arguments: [
            "0.5", "1e-1", "3600.01", "9223372036854775808", "1e19", "1e400",
            "1e99999999999999999999", "1e-9223372036854775808", "true", "\"1\"", "null", "[1]",
        ])
    func notWhole(literal: String) throws {
        #expect(try JSONParser.parse(Array(literal.utf8)).whole == nil)
    }
}
