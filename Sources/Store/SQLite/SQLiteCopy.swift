import CSQLite
import Domain

/// A copy of a store that nobody serves: made one whole file, and looked over.
package enum SQLiteCopy {
    package struct Facts: Equatable, Sendable {
        package let schema: Int
        /// Rows of every table, sorted by name.
        package let tables: [BackupManifest.Table]
    }

    /// Makes an empty file for a copy, with mode 0600.
    package static func prepare(_ path: String) throws(StoreRefusal) {
        try SQLiteFile.checkLibrary()
        try SQLiteFile.prepare(path)
    }

    /// Ends the copy's own write-ahead log, adds what a counter file has that the store does not,
    /// and checks it.
    ///
    /// - Parameter counters: the counter file of a process that has ended; nil where a running one
    ///   has folded it.
    /// - Throws: `damaged` when it is no whole store of Gatehouse, or of a newer one.
    package static func settle(
        _ path: String, counters: String? = nil
    ) throws(StoreRefusal) -> Facts {
        do {
            let connection = try SQLiteConnection(path: path, access: .writer)
            guard try connection.text("PRAGMA journal_mode = DELETE") == "delete" else {
                throw StoreRefusal.unsuitable("\(path) cannot be made one file.")
            }
            try connection.run("PRAGMA synchronous = FULL")
            if let counters, Folder.exists(counters) {
                try fold(counters, into: connection)
            }
        } catch let refusal as StoreRefusal {
            throw refusal
        } catch {
            throw SQLiteFile.refusal(path, error)
        }
        return try check(path, thoroughly: false)
    }

    /// As the next start would do it; the counter file stays as it is, for that start.
    private static func fold(_ counters: String, into connection: SQLiteConnection) throws {
        let usage = UsageCounters(db: connection)
        let mark = try usage.foldMark()
        let deltas = try CounterFile(path: counters).recover(after: mark)
        guard !deltas.isEmpty else { return }
        try connection.run("BEGIN IMMEDIATE")
        _ = try usage.fold(deltas, batch: mark.batch + 2)
        try connection.run("COMMIT")
    }

    /// Leaves a note for the audit log in a copy that is settled: it is one file before and after.
    static func note(
        _ event: AuditEvent, at now: Timestamp, in path: String
    ) throws(StoreRefusal) {
        let connection: SQLiteConnection
        do throws(SQLiteError) {
            connection = try SQLiteConnection(path: path, access: .writer)
            try connection.run("PRAGMA synchronous = FULL")
        } catch {
            throw SQLiteFile.refusal(path, error)
        }
        try connection.note(event, at: now)
    }

    /// Looks a store over that is one file and that nobody has open.
    ///
    /// - Parameter thoroughly: `integrity_check`, which compares the indexes with their tables, in
    ///   place of `quick_check`. Neither looks at foreign keys (sqlite.md 16), so that is done too.
    package static func check(
        _ path: String, thoroughly: Bool
    ) throws(StoreRefusal) -> Facts {
        let inspection = try SQLiteInspection(file: path)
        if let damage = try inspection.damage(thoroughly: thoroughly).first {
            throw .damaged("The store in it is damaged: \(damage)")
        }
        return Facts(schema: inspection.schemaVersion, tables: try inspection.tables())
    }
}
