import Domain
import Testing

@testable import Store

/// The plans of PostgreSQL, which chooses among those that it could follow by how much there is. In
/// tables without rows it would read all of any: told not to where there is another way, it shows
/// whether there is one.
@Suite("Query plans of PostgreSQL", .enabled(if: Engine.wanted.contains(.postgres)))
struct PostgresPlanTests {
    /// Asks for the plan of each statement before it runs it.
    private final class Recorder: Connection {
        private let connection: PostgresConnection
        var call = ""
        private(set) var scans: Set<String> = []
        private(set) var statements: Set<String> = []

        init(_ connection: PostgresConnection) { self.connection = connection }

        private func explain(_ sql: SQL) throws(Problem) {
            statements.insert(sql.text)
            let lines = try connection.rows("EXPLAIN (COSTS OFF) \(sql)") { row throws(Problem) in
                try row.text()
            }
            for line in lines {
                guard let found = line.firstRange(of: "Seq Scan on ") else { continue }
                let table = line[found.upperBound...].prefix { $0 != " " }
                scans.insert("\(call): \(table)")
            }
        }

        func rows<Value>(
            _ sql: SQL, _ decode: (inout Row) throws(Problem) -> Value
        ) throws(Problem) -> [Value] {
            try explain(sql)
            return try connection.rows(sql, decode)
        }

        func execute(_ sql: SQL) throws(Problem) -> Int {
            try explain(sql)
            return try connection.execute(sql)
        }

        func execute(_ sql: SQL, each rows: [[SQL.Value]]) throws(Problem) {
            try connection.execute(sql, each: rows)
        }

        func didEnqueue() {}
    }

    /// Tables that are read from end to end, and why that is right.
    private static let exceptions = [
        "jobs.prune: schedules": "a handful of rows"
    ]

    @Test("No statement reads a whole table where an index can spare it, but for the exceptions")
    func scans() async throws {
        try await PostgresServer.shared.with { lent in
            let connection = try PostgresConnection(PostgresOptions(url: lent.url))
            _ = try connection.beginWriting()
            try connection.run("SET LOCAL enable_seqscan = off")
            let recorder = Recorder(connection)
            for (name, body) in QueryCalls().all {
                recorder.call = name
                try body(recorder)
            }
            connection.rollBack()
            #expect(recorder.statements.count > 100)
            let excepted = Set(Self.exceptions.keys)
            for scan in recorder.scans.subtracting(excepted).sorted() { Issue.record("\(scan)") }
            for scan in excepted.subtracting(recorder.scans).sorted() {
                Issue.record("not needed any more: \(scan)")
            }
        }
    }
}
