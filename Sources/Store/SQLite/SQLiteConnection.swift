import CSQLite
import Domain

/// One connection of the C library and its prepared statements. Used by one thread at a time.
final class SQLiteConnection: Connection {
    let handle: OpaquePointer
    private var statements: [String: SQLiteStatement] = [:]

    /// All the statements of this program are fewer; filters with many combinations may not be, and
    /// then the cache starts anew.
    private static let statementsMax = 256

    /// Pages in the write-ahead log after this connection's last commit.
    fileprivate(set) var walPages = 0

    /// Set while a unit runs: a statement that lost the transaction beneath it (a full disk) must
    /// not be followed by one that SQLite would commit by itself.
    var mustBeInTransaction = false

    /// Some unit of the transaction has enqueued jobs. Also set when only one did that was rolled
    /// back: who is woken for nothing looks and waits again.
    private var hasEnqueued = false

    enum Access { case writer, reader }

    init(path: String, access: Access) throws(SQLiteError) {
        var opened: OpaquePointer?
        let flags =
            SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE
            | (access == .writer
                ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY)
        let code = sqlite3_open_v2(path, &opened, flags, nil)
        guard code == SQLITE_OK, let opened else {
            let error = SQLiteError(code: code, handle: opened)
            sqlite3_close_v2(opened)
            throw error
        }
        handle = opened
        do throws(SQLiteError) {
            // First of all: the pragmas below may meet another connection's lock (sqlite.md 12).
            try check(sqlite3_busy_timeout(handle, 5000))
            try check(gatehouse_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1))
            try check(gatehouse_db_config(handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0))
            try check(gatehouse_db_config(handle, SQLITE_DBCONFIG_ENABLE_FKEY, 1))
            // The writer alone checkpoints, under its own queue (sqlite.md 1, 10).
            try check(gatehouse_db_config(handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1))
            try run("PRAGMA mmap_size = 0")
            try run("PRAGMA temp_store = MEMORY")
            try defineFunctions()
        } catch {
            sqlite3_close_v2(handle)
            throw error
        }
    }

    deinit {
        statements.removeAll()
        sqlite3_close_v2(handle)
    }

    /// Counts the log's pages, and by taking the hook's one place turns automatic checkpoints off.
    func watchWAL() {
        let count:
            @convention(c) (
                UnsafeMutableRawPointer?, OpaquePointer?, UnsafePointer<CChar>?, Int32
            ) -> Int32 = { context, _, _, pages in
                guard let context else { return SQLITE_OK }
                let connection = Unmanaged<SQLiteConnection>.fromOpaque(context)
                connection.takeUnretainedValue().walPages = Int(pages)
                return SQLITE_OK
            }
        sqlite3_wal_hook(handle, count, Unmanaged.passUnretained(self).toOpaque())
    }

    // MARK: Connection

    func didEnqueue() { hasEnqueued = true }

    /// Whether jobs were enqueued since this was asked last.
    func takeEnqueued() -> Bool {
        defer { hasEnqueued = false }
        return hasEnqueued
    }

    func rows<Value>(
        _ sql: SQL, _ decode: (inout Row) throws(Problem) -> Value
    ) throws(Problem) -> [Value] {
        let statement: SQLiteStatement
        do throws(SQLiteError) {
            try checkTransaction()
            statement = try prepared(sql.text)
            try statement.bind(sql.values)
        } catch {
            throw error.problem
        }
        defer { statement.reset() }
        var found: [Value] = []
        while true {
            let code = sqlite3_step(statement.handle)
            switch code {
            case SQLITE_ROW:
                var row = Row(statement)
                found.append(try decode(&row))
            case SQLITE_DONE: return found
            default: throw SQLiteError(code: code, handle: handle).problem
            }
        }
    }

    @discardableResult
    func execute(_ sql: SQL) throws(Problem) -> Int {
        do throws(SQLiteError) {
            try checkTransaction()
            let statement = try prepared(sql.text)
            defer { statement.reset() }
            try statement.bind(sql.values)
            try finish(statement)
            return Int(sqlite3_changes(handle))
        } catch {
            throw error.problem
        }
    }

    func execute(_ sql: SQL, each rows: [[SQL.Value]]) throws(Problem) {
        do throws(SQLiteError) {
            try checkTransaction()
            let statement = try prepared(sql.text)
            for row in rows {
                defer { statement.reset() }
                try statement.bind(row)
                try finish(statement)
            }
        } catch {
            throw error.problem
        }
    }

    // MARK: For the driver itself

    /// Runs a statement of the driver's own, such as BEGIN or a pragma, from the cache.
    func run(_ text: String) throws(SQLiteError) {
        let statement = try prepared(text)
        defer { statement.reset() }
        try finish(statement)
    }

    /// Steps to the end, past rows that nobody asked for.
    private func finish(_ statement: SQLiteStatement) throws(SQLiteError) {
        while true {
            let code = sqlite3_step(statement.handle)
            if code == SQLITE_DONE { return }
            guard code == SQLITE_ROW else { throw SQLiteError(code: code, handle: handle) }
        }
    }

    /// The first column of a pragma's or query's first row.
    func text(_ query: String) throws(SQLiteError) -> String {
        let statement = try prepared(query)
        defer { statement.reset() }
        let code = sqlite3_step(statement.handle)
        guard code == SQLITE_ROW else { throw SQLiteError(code: code, handle: handle) }
        return statement.text(0)
    }

    /// False once an error has rolled the whole transaction back
    /// (sqlite.org/lang_transaction.html).
    var isInTransaction: Bool { sqlite3_get_autocommit(handle) == 0 }

    private func checkTransaction() throws(SQLiteError) {
        guard mustBeInTransaction, !isInTransaction else { return }
        throw SQLiteError(code: SQLITE_ABORT, handle: handle)
    }

    func check(_ code: Int32) throws(SQLiteError) {
        guard code == SQLITE_OK else { throw SQLiteError(code: code, handle: handle) }
    }

    private func prepared(_ text: String) throws(SQLiteError) -> SQLiteStatement {
        if let known = statements[text] { return known }
        if statements.count >= Self.statementsMax { statements.removeAll() }
        let statement = try SQLiteStatement(text, on: handle)
        statements[text] = statement
        return statement
    }
}

/// A prepared statement; also the row it stands on.
final class SQLiteStatement: Cells {
    let handle: OpaquePointer

    init(_ text: String, on connection: OpaquePointer) throws(SQLiteError) {
        var prepared: OpaquePointer?
        let code = sqlite3_prepare_v3(
            connection, text, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &prepared, nil)
        guard code == SQLITE_OK, let prepared else {
            throw SQLiteError(code: code, handle: connection)
        }
        handle = prepared
    }

    deinit { sqlite3_finalize(handle) }

    func bind(_ values: [SQL.Value]) throws(SQLiteError) {
        for (index, value) in values.enumerated() {
            let at = Int32(index + 1)
            let code =
                switch value {
                case .null: sqlite3_bind_null(handle, at)
                case .integer(let integer): sqlite3_bind_int64(handle, at, integer)
                case .text(let text): Self.bind(text, to: handle, at: at)
                case .bytes(let bytes):
                    gatehouse_bind_blob(handle, at, bytes, Int32(bytes.count))
                }
            guard code == SQLITE_OK else {
                throw SQLiteError(code: code, handle: sqlite3_db_handle(handle))
            }
        }
    }

    private static func bind(_ text: String, to handle: OpaquePointer, at: Int32) -> Int32 {
        var text = text
        return text.withUTF8 { bytes in
            bytes.withMemoryRebound(to: CChar.self) {
                // An empty string may have no address, and a null pointer would bind NULL.
                guard let base = $0.baseAddress else {
                    return gatehouse_bind_text(handle, at, "", 0)
                }
                return gatehouse_bind_text(handle, at, base, Int32($0.count))
            }
        }
    }

    /// Frees the locks and the values; a failed step's error was reported when it happened.
    func reset() {
        sqlite3_reset(handle)
        sqlite3_clear_bindings(handle)
    }

    func isNull(_ column: Int32) -> Bool { sqlite3_column_type(handle, column) == SQLITE_NULL }

    func integer(_ column: Int32) -> Int64 { sqlite3_column_int64(handle, column) }

    func text(_ column: Int32) -> String {
        guard let text = sqlite3_column_text(handle, column) else { return "" }
        let bytes = UnsafeBufferPointer(
            start: text, count: Int(sqlite3_column_bytes(handle, column)))
        return String(decoding: bytes, as: UTF8.self)
    }

    func bytes(_ column: Int32) -> [UInt8] {
        guard let blob = sqlite3_column_blob(handle, column) else { return [] }
        let bytes = UnsafeRawBufferPointer(
            start: blob, count: Int(sqlite3_column_bytes(handle, column)))
        return Array(bytes)
    }
}
