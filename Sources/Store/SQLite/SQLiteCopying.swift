import CSQLite
import Domain

/// A copy of the store in the making, by SQLite's own backup (sqlite.org/backup.html).
///
/// **What.** The copy is made in small steps on the writing connection, between its groups. A write
/// through that connection reaches pages that are copied already too, so the copy never has to
/// begin anew and is, when it ends, the store as it is then. It ends under any load, and a group
/// waits for one step at most.
///
/// **Rejected.** Steps on another connection: each write in between begins the copy anew
/// (sqlite.md 14). `VACUUM INTO`, or one long step, from a reader's snapshot: the reader keeps the
/// write-ahead log from being reset for as long as it copies, minutes for a large store, and the
/// house has no read above 5 seconds (sqlite.md 9); it writes the file by sorting it, which costs
/// more, and leaves free pages out, which keeps nothing from anybody who has the store. Reading the
/// live file: closing it drops SQLite's locks, and pages change meanwhile (sqlite.md 6).
///
/// Used by one thread.
final class SQLiteCopying {
    /// 256 KiB: well below a millisecond, so that a group hardly waits for a step.
    private static let pagesEach: Int32 = 64

    private let destination: SQLiteConnection
    private let pageBytes: Int64
    private var handle: OpaquePointer?

    /// The path is a file that is not there yet, or is empty.
    init(of source: SQLiteConnection, to path: String) throws(SQLiteError) {
        destination = try SQLiteConnection(path: path, access: .writer)
        pageBytes = Int64(try source.text("PRAGMA page_size")) ?? 4096
        // It is a step on the way: one that is cut short is thrown away, and what is made of a
        // whole one is synced and read back.
        try destination.run("PRAGMA synchronous = OFF")
        try destination.run("PRAGMA journal_mode = MEMORY")
        handle = sqlite3_backup_init(destination.handle, "main", source.handle, "main")
        guard handle != nil else {
            throw SQLiteError(
                code: sqlite3_extended_errcode(destination.handle), handle: destination.handle)
        }
    }

    deinit { sqlite3_backup_finish(handle) }

    /// Pages that are copied, and that there are.
    var all: Int64 { Int64(sqlite3_backup_pagecount(handle)) }
    var done: Int64 { all - Int64(sqlite3_backup_remaining(handle)) }

    /// Where the next step begins to read the source's file.
    var offset: Int64 { done * pageBytes }

    /// True once the copy is whole.
    func step() throws(SQLiteError) -> Bool {
        let code = sqlite3_backup_step(handle, Self.pagesEach)
        if code == SQLITE_OK { return false }
        let outcome = sqlite3_backup_finish(handle)
        handle = nil
        guard code == SQLITE_DONE, outcome == SQLITE_OK else {
            throw SQLiteError(
                code: code == SQLITE_DONE ? outcome : code, handle: destination.handle)
        }
        return true
    }
}

/// The copies that a writer was asked for, one at a time. Used by its thread alone.
struct SQLiteCopyQueue {
    /// `finish` hears once how it went.
    struct Order: Sendable {
        let path: String
        let progress: @Sendable (_ done: Int64, _ all: Int64) -> Void
        let finish: @Sendable (Problem?) -> Void
    }

    private let wake: @Sendable () -> Void
    private var waiting: [Order] = []
    private var running: SQLiteCopying?
    private var disk: SQLiteCopyDisk?

    /// - Parameter wake: makes the writer look here again.
    init(wake: @escaping @Sendable () -> Void) { self.wake = wake }

    /// Whether a step can be made now; otherwise `wake` is called when it can, if there is one.
    var isReady: Bool { !waiting.isEmpty && disk?.isReady ?? true }

    mutating func add(_ orders: [Order]) { waiting += orders }

    mutating func step(_ source: SQLiteConnection) {
        guard isReady, let order = waiting.first else { return }
        do throws(SQLiteError) {
            guard let copying = running else { return try start(order, of: source) }
            if try copying.step() { return end(nil) }
            order.progress(copying.done, copying.all)
            disk?.begin(next: copying.offset)
        } catch {
            end(error.problem)
        }
    }

    /// The first step too waits until its pages are in memory.
    private mutating func start(
        _ order: Order, of source: SQLiteConnection
    ) throws(SQLiteError) {
        let copying = try SQLiteCopying(of: source, to: order.path)
        running = copying
        disk = SQLiteCopyDisk(
            from: sqlite3_db_filename(source.handle, "main"), to: order.path, wake: wake)
        disk?.begin(next: copying.offset)
    }

    /// The writer closes: what is not whole yet never will be.
    mutating func abandon() {
        while !waiting.isEmpty {
            end(.unavailable("The store is closing.", cause: "writer closed"))
        }
    }

    private mutating func end(_ outcome: Problem?) {
        running = nil
        disk = nil
        waiting.removeFirst().finish(outcome)
    }
}
