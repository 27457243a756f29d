import Domain
import Support
import Testing

@testable import Store

@Suite("SQL")
struct SQLTests {
    @Test("Each interpolated value is a bind, numbered from 1")
    func binds() {
        let sql: SQL = "SELECT \(1), \("a"), \([UInt8(7)]) WHERE b = \(true)"
        #expect(sql.text == "SELECT $1, $2, $3 WHERE b = $4")
        #expect(sql.values == [.integer(1), .text("a"), .bytes([7]), .integer(1)])
    }

    @Test("Every type has its bind, and what is missing is NULL")
    func types() {
        let moment = Timestamp(milliseconds: -5)
        let user = UserID(high: 1, low: 2)
        let present: SQL = "\(Optional("a"))\(Int64.min)\(moment)\(user)\(false)\(JSON.null)"
        #expect(
            present.values == [
                .text("a"), .integer(.min), .integer(-5), .text(user.description), .integer(0),
                .text("null"),
            ])
        let absent: SQL = """
            \(String?.none)\(Int64?.none)\(Timestamp?.none)\(UserID?.none)\([UInt8]?.none)
            """
        #expect(absent.values == [.null, .null, .null, .null, .null])
        #expect(absent.text == "$1$2$3$4$5")
    }

    @Test("A statement inside another is numbered on, more than ten binds too")
    func nested() {
        var inner: SQL = "a IN (\(0)"
        for value in 1..<12 { inner += ", \(value)" }
        inner += ")"
        let outer: SQL = "SELECT \("first") WHERE \(inner) AND b = \("last")"
        let marks = (2...13).map { "$\($0)" }.joined(separator: ", ")
        #expect(outer.text == "SELECT $1 WHERE a IN (\(marks)) AND b = $14")
        let numbers = (0..<12).map { SQL.Value.integer($0) }
        #expect(outer.values == [.text("first")] + numbers + [.text("last")])
    }

    @Test("Joining keeps the order of text and values", arguments: [UInt64](1...30))
    func joined(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        var whole: SQL = ""
        var expected: [Int64] = []
        for _ in 0..<random.int(1...40) {
            let value = random.int(0...999)
            let part: SQL = "\(value),"
            // In front, behind, or wrapped: each renumbers.
            switch random.int(0...2) {
            case 0:
                whole = part + whole
                expected.insert(value, at: 0)
            case 1:
                whole += part
                expected.append(value)
            default:
                whole = "\(whole)\(part)"
                expected.append(value)
            }
        }
        let marks = (1...expected.count).map { "$\($0)," }.joined()
        #expect(whole.text == marks, "seed \(seed)")
        #expect(whole.values == expected.map { .integer($0) }, "seed \(seed)")
    }

    @Test("A value that looks like SQL or like a bind is data")
    func data() async throws {
        try await withStore { db in
            let values = ["'; DROP TABLE users; --", "$1", "$2", "?", "%", "", "\u{1}Ü🐘"]
            for value in values {
                let found = try await db.texts("SELECT \(value) WHERE \("$1") = \("$1")")
                #expect(found == [value])
            }
            let nested: SQL = "SELECT \("$2 $1")"
            let found = try await db.texts("SELECT \("one") UNION ALL \(nested)")
            #expect(found == ["one", "$2 $1"])
            #expect(try await db.count("SELECT count(*) FROM users") == 0)
        }
    }

    @Test("A text with a NUL comes back whole or is refused, and is never cut off there")
    func nul() async throws {
        try await withStore { db in
            do {
                let found = try await db.texts("SELECT \("a\u{0}b")")
                #expect(found == ["a\u{0}b"])
                #expect(Engine.current == .sqlite)
            } catch let problem as Problem {
                #expect(problem.cause?.hasPrefix("PostgreSQL 22021:") == true)
            }
        }
    }

    @Test("A number on its way through the store is the same, to both ends")
    func numbers() async throws {
        try await withStore { db in
            for number in [Int64.min, -1, 0, 1, 1 << 53 + 1, .max] {
                #expect(try await db.count("SELECT \(Optional(number))") == number)
            }
            let bytes = [UInt8](0...255)
            let found = try await db.read { db throws(Problem) in
                try db.rows("SELECT \(bytes), \([UInt8]())") { row throws(Problem) in
                    [try row.bytes(), try row.optionalBytes()]
                }
            }
            #expect(found == [[bytes, []]])
        }
    }
}
