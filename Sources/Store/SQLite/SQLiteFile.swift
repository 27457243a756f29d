import CLinux
import CSQLite
import Glibc

/// Opening the file with the settings that keep it whole; each is read back where SQLite may
/// silently decline.
enum SQLiteFile {
    /// Marks the file as ours at offset 68 (sqlite.md 19): "GATE".
    static let applicationID: Int32 = 0x4741_5445
    /// KiB of page cache: 16 MiB for the writer, 4 MiB for each reader (sqlite.md 23).
    private static let writerCache = 16_384
    private static let readerCache = 4096
    /// What a log that grew once is cut back to (sqlite.md 11).
    private static let walBytesKept = 16 * 1024 * 1024

    /// SQLITE_READONLY_ROLLBACK, a macro that Swift cannot see: only a writer can recover it.
    private static let readOnlyRollback = SQLITE_READONLY | (3 << 8)

    /// 3.52.0 was withdrawn (sqlite.md 3); below 3.37 there are no STRICT tables.
    static func checkLibrary() throws(StoreRefusal) {
        let number = sqlite3_libversion_number()
        guard number != 3_052_000, number >= 3_037_000 else {
            let version = String(cString: sqlite3_libversion())
            throw .unsuitable("SQLite \(version) is not safe to use; install another version.")
        }
    }

    /// Creates the file with mode 0600, which SQLite gives the log and the index too; refuses a
    /// network file system, whose locks do not hold (sqlite.md 18).
    static func prepare(_ path: String) throws(StoreRefusal) {
        if access(path, F_OK) != 0 {
            let created = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
            guard created >= 0 else {
                throw .cannotCreate("Cannot create \(path): \(String(cString: strerror(errno))).")
            }
            close(created)
        }
        // NFS, CIFS, SMB2, SMB, AFS, Ceph, 9p. FUSE is not among them: it may be local.
        let remote: Set<Int> = [
            0x6969, 0xFF53_4D42, 0xFE53_4D42, 0x517B, 0x5346_414F, 0x00C3_6400, 0x0102_1997,
        ]
        if remote.contains(gatehouse_filesystem_type(path)) {
            throw .unsuitable("\(path) is on a network file system; use a local disk.")
        }
    }

    static func openWriter(_ path: String) throws(StoreRefusal) -> SQLiteConnection {
        do {
            let connection = try SQLiteConnection(path: path, access: .writer)
            let mark = try connection.text("PRAGMA application_id")
            let tables = try connection.text("SELECT count(*) FROM sqlite_schema")
            if mark == "0" && tables == "0" {
                try connection.run("PRAGMA application_id = \(applicationID)")
            } else if mark != String(applicationID) {
                throw StoreRefusal.damaged("\(path) is not a Gatehouse store.")
            }
            guard try connection.text("PRAGMA journal_mode = WAL") == "wal" else {
                throw StoreRefusal.unsuitable("\(path) cannot use a write-ahead log there.")
            }
            try connection.run("PRAGMA synchronous = FULL")
            try connection.run("PRAGMA secure_delete = FAST")
            try connection.run("PRAGMA cache_spill = OFF")
            try connection.run("PRAGMA cache_size = -\(writerCache)")
            try connection.run("PRAGMA journal_size_limit = \(walBytesKept)")
            guard try connection.text("PRAGMA synchronous") == "2" else {
                throw StoreRefusal.unsuitable("SQLite declined synchronous=FULL for \(path).")
            }
            connection.watchWAL()
            return connection
        } catch let refusal as StoreRefusal {
            throw refusal
        } catch {
            throw refusal(path, error)
        }
    }

    static func openReader(_ path: String) throws(StoreRefusal) -> SQLiteConnection {
        do throws(SQLiteError) {
            let connection = try SQLiteConnection(path: path, access: .reader)
            try connection.run("PRAGMA query_only = ON")
            try connection.run("PRAGMA cache_size = -\(readerCache)")
            return connection
        } catch {
            throw refusal(path, error)
        }
    }

    static func refusal(_ path: String, _ error: any Error) -> StoreRefusal {
        guard let error = error as? SQLiteError else { return .damaged("\(path): \(error)") }
        switch error.code & 0xFF {
        case SQLITE_CORRUPT, SQLITE_NOTADB:
            return .damaged("\(path) is damaged: \(error.message).")
        case SQLITE_BUSY, SQLITE_LOCKED:
            return .inUse("\(path) is in use by another program.")
        case SQLITE_READONLY where error.code == readOnlyRollback:
            return .unsuitable(
                "\(path) was being changed when its process was killed; "
                    + "gatehouse serve recovers it.")
        default:
            return .cannotCreate("Cannot open \(path): \(error.message) (\(error.code)).")
        }
    }
}
