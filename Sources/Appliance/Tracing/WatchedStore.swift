import Domain
import Logging
import Store
import Tracing

/// A store with an eye on it, whatever its engine: statements that take too long are in the log,
/// and the work of requests that are traced has spans. All others pay two looks at a clock for each
/// statement.
struct WatchedStore: Database {
    let base: any Database
    /// The engine, as the semantic conventions call it.
    let system: String
    let settings: LiveSettings
    let tracer: SpanTracer?
    let logger: Logger

    var enqueued: Wake { base.enqueued }

    func close() { base.close() }

    func read<Value: Sendable>(
        _ body: @escaping @Sendable (any Connection) throws(Problem) -> Value
    ) async throws(Problem) -> Value {
        guard let watch = watch("store read") else { return try await base.read(body) }
        return try await watch.ending { () throws(Problem) in
            try await base.read { db throws(Problem) in try body(WatchedConnection(db, watch)) }
        }
    }

    func write<Value: Sendable>(
        _ body: @escaping @Sendable (any Connection) throws(Problem) -> Value
    ) async throws(Problem) -> Value {
        guard let watch = watch("store write") else { return try await base.write(body) }
        return try await watch.ending { () throws(Problem) in
            try await base.write { db throws(Problem) in try body(WatchedConnection(db, watch)) }
        }
    }

    /// Nil when nobody would be told of anything.
    private func watch(_ name: String) -> StoreWatch? {
        let slow = settings.current.configuration.log.slowQuery
        var context = InstrumentationContext.current
        var span: RecordedSpan?
        if let tracer, var inner = context {
            span = tracer.child(name, .internal, of: &inner)
            context = inner
        }
        guard slow > .zero || span != nil else { return nil }
        return StoreWatch(
            system: system, context: context, span: span, tracer: tracer, slow: slow,
            logger: logger)
    }
}

/// One unit of work on the store: what is told of its statements, and where.
struct StoreWatch: Sendable {
    let system: String
    /// The request's, since the store's threads have no task.
    let context: InstrumentationContext?
    let span: RecordedSpan?
    let tracer: SpanTracer?
    /// Zero: no statement is slow.
    let slow: Duration
    let logger: Logger

    fileprivate func ending<Value>(
        isolation: isolated (any Actor)? = #isolation,
        _ body: () async throws(Problem) -> Value
    ) async throws(Problem) -> Value {
        do throws(Problem) {
            let value = try await body()
            span?.end()
            return value
        } catch {
            span?.fail(with: error)
            span?.end()
            throw error
        }
    }

    /// Runs one statement.
    fileprivate func statement<Value>(
        _ sql: SQL, _ body: () throws(Problem) -> Value
    ) throws(Problem) -> Value {
        var inner = context ?? .topLevel
        let span = self.span == nil ? nil : tracer?.child(sql.summary, .client, of: &inner)
        span?.attributes = [
            "db.system.name": .string(system), "db.query.text": .string(sql.text),
            "db.query.summary": .string(sql.summary), "db.operation.name": .string(sql.operation),
        ]
        let begun = ContinuousClock.now
        defer {
            span?.end()
            tell(sql, took: ContinuousClock.now - begun)
        }
        do throws(Problem) {
            return try body()
        } catch {
            span?.fail(with: error)
            throw error
        }
    }

    /// The text has `$1` where a value was: no value is ever logged.
    private func tell(_ sql: SQL, took: Duration) {
        guard slow > .zero, took >= slow else { return }
        let line = sql.text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        InstrumentationContext.$current.withValue(context) {
            logger.warning(
                "slow query",
                metadata: [
                    "milliseconds": "\(took.wholeMilliseconds)", "statement": "\(line)",
                ])
        }
    }
}

/// A connection whose statements are watched. Bound to its unit's thread, as the one inside.
private final class WatchedConnection: Connection {
    private let base: any Connection
    private let watch: StoreWatch

    init(_ base: any Connection, _ watch: StoreWatch) {
        self.base = base
        self.watch = watch
    }

    func rows<Value>(
        _ sql: SQL, _ decode: (inout Row) throws(Problem) -> Value
    ) throws(Problem) -> [Value] {
        try watch.statement(sql) { () throws(Problem) in try base.rows(sql, decode) }
    }

    @discardableResult
    func execute(_ sql: SQL) throws(Problem) -> Int {
        try watch.statement(sql) { () throws(Problem) in try base.execute(sql) }
    }

    func execute(_ sql: SQL, each rows: [[SQL.Value]]) throws(Problem) {
        try watch.statement(sql) { () throws(Problem) in try base.execute(sql, each: rows) }
    }

    func didEnqueue() { base.didEnqueue() }
}

extension SQL {
    /// What it does, in a word: `SELECT`.
    fileprivate var operation: String {
        String(text.drop(while: \.isWhitespace).prefix { !$0.isWhitespace })
    }

    /// What it does and with which table first (semantic conventions, `db.query.summary`).
    fileprivate var summary: String {
        let words = text.split(whereSeparator: { $0.isWhitespace || "(,".contains($0) })
        let place = words.firstIndex { ["FROM", "INTO", "UPDATE"].contains($0) }
        guard let place, place + 1 < words.count else { return operation }
        return "\(operation) \(words[place + 1])"
    }
}
