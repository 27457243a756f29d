import Domain

/// The store in a PostgreSQL database, which several nodes may share: one writing connection, a few
/// reading ones (`PostgresWriter` says how nodes take turns).
package final class PostgresStore: Database {
    private static let readerQueue = 4096

    private let writer: PostgresWriter
    private let readers: PostgresReaders
    private let threads: [WorkThread]
    /// Of a node.
    private let watching: (readers: PostgresReaders, thread: WorkThread)?
    private let claim: PostgresClaim?
    private let keeper: WorkThread?
    /// Where the server is, for messages.
    package let place: String

    /// Looks the server over, brings the schema up to date, and starts the threads. Later the
    /// server may go and come again: they connect anew.
    ///
    /// - Parameters:
    ///   - url: `postgres://…`, as libpq reads it.
    ///   - passwordFile: of the password alone, if it is in a file of its own.
    ///   - migrates: false refuses a schema that is not this program's own.
    ///   - hold: refuses while somebody has the store who must not be beside us, and keeps such
    ///     out; nil: is beside anybody.
    package convenience init(
        url: String, passwordFile: String? = nil, readerCount: Int = 4,
        writerQueue: Int = SQLiteStore.writerQueueDefault, migrates: Bool = true,
        hold: PostgresHold? = nil
    ) throws(StoreRefusal) {
        try self.init(
            PostgresOptions(url: url, passwordFile: passwordFile), readerCount: readerCount,
            writerQueue: writerQueue, migrates: migrates, hold: hold)
    }

    init(
        _ options: PostgresOptions, readerCount: Int, writerQueue: Int, migrates: Bool,
        hold: PostgresHold? = nil
    ) throws(StoreRefusal) {
        place = options.place
        let isShared = if case .shared? = hold { true } else { false }
        let options = isShared ? options.sharing : options
        let claim: PostgresClaim?
        let holding: Loan?
        if let hold {
            let made = try PostgresClaim(hold)
            claim = made
            holding = Loan(connection: try made.connection(options))
        } else {
            claim = nil
            holding = nil
        }
        let schema = try PostgresSchema(options)
        let version = try schema.version()
        if migrates {
            try schema.migrate()
        } else if version != PostgresSchema.current {
            throw .unsuitable("The schema is at version \(version). Run: gatehouse migrate")
        }
        if let claim { try schema.enter(claim) }
        let writer = PostgresWriter(queueCapacity: writerQueue, claim: claim)
        let readers = PostgresReaders(queueCapacity: Self.readerQueue)
        self.writer = writer
        self.readers = readers
        self.claim = claim
        keeper = holding.flatMap { holding in
            WorkThread(name: "store-claim") {
                claim?.keep(holding.connection, PostgresLink(options))
            }
        }
        let writing = WorkThread(name: "store-writer") { writer.serve(PostgresLink(options)) }
        let reading = (0..<readerCount).map { _ in
            WorkThread(name: "store-reader") { readers.serve(PostgresLink(options)) }
        }
        threads = ([writing] + reading).compactMap { $0 }
        let watchers = PostgresReaders(queueCapacity: 16)
        var watch: WorkThread?
        if isShared {
            watch = WorkThread(name: "store-watch") { watchers.serve(PostgresLink(options.hasty)) }
        }
        watching = watch.map { (watchers, $0) }
        guard threads.count == readerCount + 1, (keeper == nil) == (claim == nil),
            (watch == nil) != isShared
        else {
            writer.close()
            readers.close()
            watchers.close()
            claim?.letGo()
            throw .unsuitable("The system has no threads left for the store.")
        }
    }

    /// Hands a connection over to the one thread that will use it.
    /// Unchecked, because the opening thread never touches the connection again.
    private struct Loan: @unchecked Sendable {
        let connection: PostgresConnection
    }

    package func read<Value: Sendable>(
        _ body: @escaping @Sendable (any Connection) throws(Problem) -> Value
    ) async throws(Problem) -> Value {
        try await StoreUnit.outcome(of: body) { readers.submit($0) }
    }

    /// The same on a connection of its own, which no other read keeps waiting and which gives up
    /// soon: a node hears of others' changes by it.
    package func watch<Value: Sendable>(
        _ body: @escaping @Sendable (any Connection) throws(Problem) -> Value
    ) async throws(Problem) -> Value {
        try await StoreUnit.outcome(of: body) { (watching?.readers ?? readers).submit($0) }
    }

    package func write<Value: Sendable>(
        _ body: @escaping @Sendable (any Connection) throws(Problem) -> Value
    ) async throws(Problem) -> Value {
        try await StoreUnit.outcome(of: body) { writer.submit($0) }
    }

    /// Set by commits of this node: those of others are found when a runner looks again, or is told
    /// of them.
    package var enqueued: Wake { writer.enqueued }

    /// Set by the same commits and by nothing else, for who tells the other nodes.
    package var enqueuedHere: Wake { writer.enqueuedHere }

    package var writerFigures: PostgresWriterFigures { writer.current }

    /// Writes that the writing thread has not taken yet.
    package var waitingWrites: Int { writer.waiting }

    /// Reads that wait, threads with a read in hand, and threads that there are.
    package var readerFigures: (waiting: Int, busy: Int, count: Int) {
        (readers.waiting, readers.busy, threads.count - 1)
    }

    /// Serves what is queued and closes. Blocks until the threads have ended.
    package func close() {
        readers.close()
        watching?.readers.close()
        writer.close()
        for thread in threads { thread.join() }
        watching?.thread.join()
        claim?.letGo()
        keeper?.join()
    }

    /// Set when another process has taken the store over while the connection was away: this one
    /// can only end. Nil where it has no hold.
    package var lost: Wake? { claim?.lost }

    /// The version of the schema; 0 for a database without a store. Changes nothing.
    package static func schemaVersion(
        url: String, passwordFile: String? = nil
    ) throws(StoreRefusal) -> Int {
        try PostgresSchema(PostgresOptions(url: url, passwordFile: passwordFile)).version()
    }
}

package typealias PostgresWriterFigures = PostgresWriter.Figures
