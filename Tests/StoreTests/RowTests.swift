import Domain
import Store
import Testing

@Suite("Row")
struct RowTests {
    /// The problem of reading the only row of a query.
    private static func problem<Value: Sendable>(
        _ sql: SQL, _ decode: @escaping @Sendable (inout Row) throws(Problem) -> Value
    ) async throws -> Problem? {
        var problems: [Problem] = []
        try await withStore { db in
            do throws(Problem) {
                _ = try await db.read { db throws(Problem) in try db.rows(sql, decode) }
            } catch {
                problems.append(error)
            }
        }
        // The same on every engine.
        #expect(problems.count == Engine.wanted.count)
        #expect(Set(problems.map(\.cause)).count == 1)
        return problems.first
    }

    private static func expectInternal(
        _ problem: Problem?, cause: String, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(problem?.code == .internal, sourceLocation: sourceLocation)
        #expect(problem?.cause?.hasPrefix(cause) == true, sourceLocation: sourceLocation)
        // What the client is told names neither the column nor the value.
        #expect(
            problem?.detail == "Something went wrong on our side.",
            sourceLocation: sourceLocation)
    }

    @Test("Null in a column that must have a value is a problem that names the column")
    func null() async throws {
        let integer = try await Self.problem("SELECT 1, NULL") { row throws(Problem) in
            [try row.integer(), try row.integer()]
        }
        Self.expectInternal(integer, cause: "column 1 is null")
        let text = try await Self.problem("SELECT NULL") { row throws(Problem) in
            try row.text()
        }
        Self.expectInternal(text, cause: "column 0 is null")
        let time = try await Self.problem("SELECT NULL") { row throws(Problem) in
            try row.timestamp()
        }
        Self.expectInternal(time, cause: "column 0 is null")
        let bool = try await Self.problem("SELECT NULL") { row throws(Problem) in
            try row.bool()
        }
        Self.expectInternal(bool, cause: "column 0 is null")
    }

    @Test("Null is no bytes either: it is not an empty hash")
    func nullBytes() async throws {
        let bytes = try await Self.problem("SELECT 1, NULL") { row throws(Problem) in
            _ = try row.integer()
            return try row.bytes()
        }
        Self.expectInternal(bytes, cause: "column 1 is null")
    }

    @Test("An id or a JSON that is none is a problem that names the column")
    func unreadable() async throws {
        let id = try await Self.problem("SELECT 1, 'nobody'") { row throws(Problem) in
            _ = try row.integer()
            let id: UserID = try row.id()
            return id
        }
        Self.expectInternal(id, cause: "column 1 holds no ID<Account>")
        let json = try await Self.problem("SELECT '{'") { row throws(Problem) in
            try row.json()
        }
        Self.expectInternal(json, cause: "column 0 is not JSON: ")
        let role = try await Self.problem("SELECT 'root'") { row throws(Problem) in
            try row.parsed(Account.Role.init)
        }
        Self.expectInternal(role, cause: "column 0 holds no Role")
    }

    @Test("Columns are read in order, those that may be missing too")
    func order() async throws {
        try await withStore { db in
            let read = try await db.read { db throws(Problem) in
                try db.first(
                    "SELECT 1, NULL, NULL, NULL, NULL, 'a', \([UInt8(1), 2]), 0, 5"
                ) { row throws(Problem) in
                    let one = try row.integer()
                    let missing = [
                        try row.optionalInteger() == nil, try row.optionalText() == nil,
                        try row.optionalTimestamp() == nil, try row.optionalBytes() == nil,
                    ]
                    return (
                        one, missing == [true, true, true, true], try row.text(), try row.bytes(),
                        try row.bool(),
                        try row.timestamp()
                    )
                }
            }
            let row = try #require(read)
            #expect(row.0 == 1 && row.1 && row.2 == "a" && row.3 == [1, 2] && !row.4)
            #expect(row.5 == Timestamp(milliseconds: 5))
        }
    }

    @Test("A statement that SQLite does not take is a problem, and the connection goes on")
    func syntax() async throws {
        try await withSQLiteStore(readerCount: 1) { store, _ in
            await #expect {
                try await store.count("SELECT nothing FROM nowhere")
            } throws: { error in
                let problem = error as? Problem
                return problem?.code == .internal && problem?.cause?.hasPrefix("SQLite 1:") == true
            }
            let count = try await store.count("SELECT count(*) FROM users")
            #expect(count == 0)
        }
    }

    @Test("A decoder that throws ends the read with its own problem, and the connection goes on")
    func throwing() async throws {
        try await withSQLiteStore(readerCount: 1) { store, _ in
            for _ in 0..<3 {
                await #expect {
                    try await store.read { db throws(Problem) in
                        try db.rows("SELECT 1 UNION ALL SELECT 2") { _ throws(Problem) in
                            throw .notFound("thing")
                        }
                    }
                } throws: {
                    ($0 as? Problem)?.code == .notFound
                }
            }
            try await store.execute("INSERT INTO installation VALUES ('a', '1')")
            #expect(try await store.count("SELECT count(*) FROM installation") == 1)
        }
    }
}
