import CSQLite
import Domain

/// The store in one SQLite file: one writing connection, a few reading ones (sqlite.md).
package final class SQLiteStore: Database {
    /// Units waiting for the writer: at 2 ms a group this is about 50 ms of work.
    package static let writerQueueDefault = 4096
    private static let readerQueue = 4096

    private let lock: InstallationLock
    private let writer: SQLiteWriter
    private let readers: SQLiteReaders
    private let threads: [WorkThread]
    /// Where a restore that was killed half-way, and that this start has finished, put what was
    /// there before.
    package let finishedRestore: String?

    /// Opens or creates the store, brings its schema up to date, and starts its threads.
    ///
    /// - Parameters:
    ///   - migrates: false refuses a schema that is not this program's own.
    ///   - beforeMigrating: called when there is something to migrate, which throwing prevents. Not
    ///     for a store that is new.
    package init(
        file: String, readerCount: Int = 2, writerQueue: Int = writerQueueDefault,
        migrates: Bool = true,
        beforeMigrating: (SQLiteMigrating) throws(StoreRefusal) -> Void = { _ in }
    ) throws(StoreRefusal) {
        try SQLiteFile.checkLibrary()
        lock = try InstallationLock(for: file)
        finishedRestore = try RestoreSwap.finish(store: file)
        try SQLiteFile.prepare(file)
        let writing = try SQLiteFile.openWriter(file)
        let schema = try SQLiteSchema.version(of: writing)
        if migrates {
            if schema > 0, schema < SQLiteSchema.current {
                try beforeMigrating(SQLiteMigrating(writing, from: schema))
            }
            try SQLiteSchema.migrate(writing, from: schema)
        } else if schema != SQLiteSchema.current {
            throw .unsuitable("The schema is at version \(schema). Run: gatehouse migrate")
        }
        var reading: [SQLiteConnection] = []
        for _ in 0..<readerCount { reading.append(try SQLiteFile.openReader(file)) }

        let writer = SQLiteWriter(queueCapacity: writerQueue)
        let readers = SQLiteReaders(queueCapacity: Self.readerQueue)
        self.writer = writer
        self.readers = readers
        var threads: [WorkThread] = []
        let loan = Loan(writing)
        threads += [WorkThread(name: "store-writer") { writer.serve(loan.connection) }]
            .compactMap { $0 }
        for connection in reading {
            let loan = Loan(connection)
            threads += [WorkThread(name: "store-reader") { readers.serve(loan.connection) }]
                .compactMap { $0 }
        }
        self.threads = threads
        guard threads.count == readerCount + 1 else {
            writer.close()
            readers.close()
            throw .unsuitable("The system has no threads left for the store.")
        }
    }

    /// Hands a connection over to the one thread that will use it.
    /// Unchecked, because the opening thread never touches the connection again.
    private struct Loan: @unchecked Sendable {
        let connection: SQLiteConnection

        init(_ connection: SQLiteConnection) { self.connection = connection }
    }

    package func read<Value: Sendable>(
        _ body: @escaping @Sendable (any Connection) throws(Problem) -> Value
    ) async throws(Problem) -> Value {
        try await StoreUnit.outcome(of: body) { readers.submit($0) }
    }

    package func write<Value: Sendable>(
        _ body: @escaping @Sendable (any Connection) throws(Problem) -> Value
    ) async throws(Problem) -> Value {
        try await StoreUnit.outcome(of: body) { writer.submit($0) }
    }

    /// Copies the store, while it is served, into a file that `SQLiteCopy.prepare` made. The copy
    /// has everything that was committed before this was called.
    ///
    /// - Parameter progress: pages that are copied, and that there are; on the writing thread.
    package func copy(
        to path: String,
        progress: @escaping @Sendable (_ done: Int64, _ all: Int64) -> Void = { _, _ in }
    ) async throws(Problem) {
        let failure: Problem? = await withCheckedContinuation { continuation in
            writer.copy(
                SQLiteCopyQueue.Order(path: path, progress: progress) {
                    continuation.resume(returning: $0)
                })
        }
        if let failure { throw failure }
    }

    package var enqueued: Wake { writer.enqueued }

    package var writerFigures: SQLiteWriterFigures { writer.current }

    /// Writes that the writing thread has not taken yet.
    package var waitingWrites: Int { writer.waiting }

    /// Reads that wait, threads with a read in hand, and threads that there are.
    package var readerFigures: (waiting: Int, busy: Int, count: Int) {
        (readers.waiting, readers.busy, threads.count - 1)
    }

    /// Serves what is queued, checkpoints, closes. Blocks until the threads have ended.
    package func close() {
        readers.close()
        writer.close()
        for thread in threads { thread.join() }
        lock.release()
    }

    /// The library's version and source id, and whether it has the WAL-reset fix (sqlite.md 1).
    package static var library: (version: String, sourceID: String, hasWALResetFix: Bool) {
        let number = sqlite3_libversion_number()
        let isFixed =
            number >= 3_051_003 || (3_050_007..<3_051_000).contains(number)
            || (3_044_006..<3_045_000).contains(number)
        return (
            String(cString: sqlite3_libversion()), String(cString: sqlite3_sourceid()), isFixed
        )
    }
}

package typealias SQLiteWriterFigures = SQLiteWriter.Figures
