import CSQLite
import Domain
import Glibc
import Synchronization

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
    /// 1 MiB: about a millisecond, as long as a small group.
    static let pagesEach: Int32 = 256

    private let destination: SQLiteConnection
    private var handle: OpaquePointer?

    /// The path is a file that is not there yet, or is empty.
    init(of source: SQLiteConnection, to path: String) throws(SQLiteError) {
        destination = try SQLiteConnection(path: path, access: .writer)
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

/// Puts what a copy has in memory on the disk, from a thread beside the writer's.
///
/// A copy is written faster than any disk takes it. Left alone, the kernel gathers gigabytes of it
/// and then writes them in one rush, and each commit of the store waits for its own few KB behind
/// that: the slowest hundredth of writes waited ten times as long and more (docs/performance.md).
/// So the copy stops after each step until that step is on the disk, and then for as long again:
/// at least half of the disk's time is the others'. The writer itself never waits for it.
final class SQLiteCopyFlush: Sendable {
    private let queue = BoundedQueue<Int32>(capacity: 1)
    private let isBusy: Flag
    private let thread: WorkThread?
    private let descriptor: Int32

    private final class Flag: Sendable {
        let value = Atomic(false)
    }

    /// - Parameter wake: called when the next step may be made.
    init(of path: String, wake: @escaping @Sendable () -> Void) {
        descriptor = open(path, O_RDONLY | O_CLOEXEC)
        let flag = Flag()
        isBusy = flag
        thread = WorkThread(name: "store-flush") { [queue] in
            while let descriptors = queue.take(atMost: 1) {
                for descriptor in descriptors { DiskPace.flush(descriptor) }
                flag.value.store(false, ordering: .releasing)
                wake()
            }
        }
    }

    var isReady: Bool { !isBusy.value.load(ordering: .acquiring) }

    func begin() {
        guard thread != nil, descriptor >= 0 else { return }
        isBusy.value.store(true, ordering: .releasing)
        if queue.put(descriptor) != .put { isBusy.value.store(false, ordering: .releasing) }
    }

    /// Closing the descriptor drops this process's locks on the copy (sqlite.md 6), which nobody
    /// else opens before it is whole; never on the store.
    deinit {
        queue.close()
        thread?.join()
        if descriptor >= 0 { close(descriptor) }
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
    private var flush: SQLiteCopyFlush?

    /// - Parameter wake: makes the writer look here again.
    init(wake: @escaping @Sendable () -> Void) { self.wake = wake }

    /// Whether a step can be made now; otherwise `wake` is called when it can, if there is one.
    var isReady: Bool { !waiting.isEmpty && flush?.isReady ?? true }

    mutating func add(_ orders: [Order]) { waiting += orders }

    mutating func step(_ source: SQLiteConnection) {
        guard isReady, let order = waiting.first else { return }
        do throws(SQLiteError) {
            let copying: SQLiteCopying
            if let running {
                copying = running
            } else {
                copying = try SQLiteCopying(of: source, to: order.path)
                flush = SQLiteCopyFlush(of: order.path, wake: wake)
                running = copying
            }
            if try copying.step() { return end(nil) }
            order.progress(copying.done, copying.all)
            flush?.begin()
        } catch {
            end(error.problem)
        }
    }

    /// The writer closes: what is not whole yet never will be.
    mutating func abandon() {
        while !waiting.isEmpty {
            end(.unavailable("The store is closing.", cause: "writer closed"))
        }
    }

    private mutating func end(_ outcome: Problem?) {
        running = nil
        flush = nil
        waiting.removeFirst().finish(outcome)
    }
}
