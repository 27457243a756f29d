import CSQLite
import Domain

@testable import Store

/// A connection that asks for the plan of each statement before it runs it.
final class PlanRecorder: Connection {
    struct Step: Hashable, CustomStringConvertible {
        /// Which call of this suite the statement belongs to.
        let call: String
        let detail: String

        var description: String { "\(call): \(detail)" }
    }

    typealias Explain = (SQL) throws(Problem) -> [String]

    private let connection: any Connection
    private let explain: Explain
    private(set) var steps: [Step] = []
    /// Statements that ran.
    private(set) var statements: Set<String> = []
    private var call = ""

    private init(_ connection: any Connection, _ explain: @escaping Explain) {
        self.connection = connection
        self.explain = explain
    }

    convenience init(_ connection: SQLiteConnection) throws {
        // Shows the plans of what a statement sets off as well, such as a cascade.
        try connection.check(
            gatehouse_db_config(connection.handle, SQLITE_DBCONFIG_TRIGGER_EQP, 1))
        self.init(connection) { sql throws(Problem) in
            // Its columns: an id, the id of the step around it, one without use, the text (none
            // where a cascade begins).
            try connection.rows("EXPLAIN QUERY PLAN \(sql)") { row throws(Problem) in
                for _ in 0..<3 { _ = try row.optionalInteger() }
                return try row.optionalText()
            }.compactMap { $0 }
        }
    }

    convenience init(_ connection: PostgresConnection) {
        self.init(connection) { sql throws(Problem) in
            try connection.rows("EXPLAIN (COSTS OFF) \(sql)") { row throws(Problem) in
                try row.text()
            }
        }
    }

    /// Every call of the store's nouns.
    func runAll() throws {
        for (name, body) in QueryCalls().all {
            call = name
            try body(self)
        }
    }

    private func record(_ sql: SQL) throws(Problem) {
        statements.insert(sql.text)
        steps += try explain(sql).map { Step(call: call, detail: $0) }
    }

    func rows<Value>(
        _ sql: SQL, _ decode: (inout Row) throws(Problem) -> Value
    ) throws(Problem) -> [Value] {
        try record(sql)
        return try connection.rows(sql, decode)
    }

    func execute(_ sql: SQL) throws(Problem) -> Int {
        try record(sql)
        return try connection.execute(sql)
    }

    func execute(_ sql: SQL, each rows: [[SQL.Value]]) throws(Problem) {
        if let first = rows.first { try record(SQL(sql.text, first)) }
        try connection.execute(sql, each: rows)
    }

    func didEnqueue() {}
}

extension SQL {
    /// A statement with one row of its values.
    fileprivate init(_ text: String, _ values: [Value]) {
        var rest = text[...]
        var bound = StringInterpolation(literalCapacity: text.utf8.count, interpolationCount: 0)
        for (index, value) in values.enumerated() {
            guard let mark = rest.firstRange(of: "$\(index + 1)") else { break }
            bound.appendLiteral(String(rest[..<mark.lowerBound]))
            bound.appendInterpolation(value)
            rest = rest[mark.upperBound...]
        }
        bound.appendLiteral(String(rest))
        self.init(stringInterpolation: bound)
    }
}
