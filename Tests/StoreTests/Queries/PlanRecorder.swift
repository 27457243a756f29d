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

        /// A table or an index that is read from end to end, or a sort that no index spares. The
        /// bound of a page (`id < cursor`) lets a plan call the walk over a whole table a search.
        var isCostly: Bool {
            detail.hasPrefix("SCAN ") || detail.contains("TEMP B-TREE")
                || detail.hasSuffix("PRIMARY KEY (id<?)")
                || detail.hasSuffix("PRIMARY KEY (rowid<?)")
                || detail.hasSuffix("PRIMARY KEY (rowid>?)")
        }
    }

    private let connection: SQLiteConnection
    private(set) var steps: [Step] = []
    /// Statements that ran.
    private(set) var statements: Set<String> = []
    var call = ""

    init(_ connection: SQLiteConnection) throws {
        self.connection = connection
        // Shows the plans of what a statement sets off as well, such as a cascade.
        try connection.check(
            gatehouse_db_config(connection.handle, SQLITE_DBCONFIG_TRIGGER_EQP, 1))
    }

    private func explain(_ sql: SQL) throws(Problem) {
        statements.insert(sql.text)
        // Its columns: an id, the id of the step around it, one without use, the text (none where
        // a cascade begins).
        let details = try connection.rows("EXPLAIN QUERY PLAN \(sql)") { row throws(Problem) in
            for _ in 0..<3 { _ = try row.optionalInteger() }
            return try row.optionalText()
        }
        steps += details.compactMap { $0 }.map { Step(call: call, detail: $0) }
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
        try explain(sql)
        try connection.execute(sql, each: rows)
    }

    func didEnqueue() {}
}
