import Domain

/// The one contract for keeping things. A driver connects, prepares, binds, steps, begins, commits
/// and maps its errors by result code to `Problem`; every query is written once, above it.
///
/// A body runs on a thread of the driver, never on an event loop, and must not wait for anything.
package protocol Database: Sendable {
    /// Runs `body` on one snapshot. Throws what `body` throws, `overloaded` when the queue is full,
    /// `unavailable` when the store cannot answer.
    func read<Value: Sendable>(
        _ body: @escaping @Sendable (any Connection) throws(Problem) -> Value
    ) async throws(Problem) -> Value

    /// Runs `body` in a transaction: when this returns, what it wrote is durable; when it throws,
    /// nothing of it was written, unless the problem says that this is not known. Bodies run one
    /// after the other, on all nodes that share the store.
    ///
    /// A body whose transaction met a conflict or lost its connection runs again from its
    /// beginning, so it changes nothing outside; one in which a statement failed must throw.
    func write<Value: Sendable>(
        _ body: @escaping @Sendable (any Connection) throws(Problem) -> Value
    ) async throws(Problem) -> Value

    /// Set when a transaction that has enqueued jobs is committed.
    var enqueued: Wake { get }

    /// Serves what is queued and closes. Blocks until that is done.
    func close()
}

/// What a body can do inside its transaction. Bound to one thread for that time.
package protocol Connection: AnyObject {
    /// Runs a query and decodes each row.
    func rows<Value>(
        _ sql: SQL, _ decode: (inout Row) throws(Problem) -> Value
    ) throws(Problem) -> [Value]

    /// Runs a statement; returns how many rows it changed.
    @discardableResult
    func execute(_ sql: SQL) throws(Problem) -> Int

    /// Runs a statement once for each row of values: `$1` is a row's first. The numbers stand in
    /// the statement in their order, since to SQLite they are names that it numbers as they come.
    func execute(_ sql: SQL, each rows: [[SQL.Value]]) throws(Problem)

    /// This transaction has enqueued jobs: once it is committed, `Database.enqueued` is set.
    func didEnqueue()
}

extension Connection {
    package func first<Value>(
        _ sql: SQL, _ decode: (inout Row) throws(Problem) -> Value
    ) throws(Problem) -> Value? {
        try rows(sql, decode).first
    }

    /// The single number that an aggregate query returns.
    package func count(_ sql: SQL) throws(Problem) -> Int64 {
        try first(sql) { row throws(Problem) in try row.integer() } ?? 0
    }
}

/// One row of a result, read column by column in the order of the SELECT list.
package struct Row {
    private let cells: any Cells
    private var next: Int32 = 0

    init(_ cells: any Cells) { self.cells = cells }

    package mutating func optionalInteger() throws(Problem) -> Int64? {
        defer { next += 1 }
        return cells.isNull(next) ? nil : cells.integer(next)
    }

    package mutating func optionalText() throws(Problem) -> String? {
        defer { next += 1 }
        return cells.isNull(next) ? nil : cells.text(next)
    }

    package mutating func optionalBytes() throws(Problem) -> [UInt8]? {
        defer { next += 1 }
        return cells.isNull(next) ? nil : cells.bytes(next)
    }

    package mutating func integer() throws(Problem) -> Int64 {
        let value = try optionalInteger()
        return try required(value)
    }

    package mutating func text() throws(Problem) -> String {
        let value = try optionalText()
        return try required(value)
    }

    package mutating func bytes() throws(Problem) -> [UInt8] {
        let value = try optionalBytes()
        return try required(value)
    }

    package mutating func bool() throws(Problem) -> Bool { try integer() != 0 }

    package mutating func timestamp() throws(Problem) -> Timestamp {
        Timestamp(milliseconds: try integer())
    }

    package mutating func optionalTimestamp() throws(Problem) -> Timestamp? {
        try optionalInteger().map { Timestamp(milliseconds: $0) }
    }

    package mutating func id<Noun>() throws(Problem) -> ID<Noun> {
        try parsed { ID<Noun>($0) }
    }

    package mutating func optionalID<Noun>() throws(Problem) -> ID<Noun>? {
        guard !cells.isNull(next) else {
            next += 1
            return nil
        }
        return try id()
    }

    package mutating func json() throws(Problem) -> JSON {
        let text = try text()
        do {
            return try JSONParser.parse(Array(text.utf8))
        } catch {
            throw .internal(cause: "column \(next - 1) is not JSON: \(error.reason)")
        }
    }

    /// A text that has a type of its own; one that the type refuses is damage.
    package mutating func parsed<Value>(
        _ parse: (String) -> Value?
    ) throws(Problem) -> Value {
        let text = try text()
        guard let value = parse(text) else {
            throw .internal(cause: "column \(next - 1) holds no \(Value.self)")
        }
        return value
    }

    private func required<Value>(_ value: Value?) throws(Problem) -> Value {
        guard let value else { throw .internal(cause: "column \(next - 1) is null") }
        return value
    }
}

/// A driver's view of the row that its statement stands on.
protocol Cells {
    func isNull(_ column: Int32) -> Bool
    func integer(_ column: Int32) -> Int64
    func text(_ column: Int32) -> String
    func bytes(_ column: Int32) -> [UInt8]
}
