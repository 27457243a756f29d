import CSQLite
import Domain

/// A look at a store from another process, beside a running daemon: one reading connection, which
/// takes part in SQLite's locking, never checkpoints and never writes.
package final class SQLiteInspection {
    private let connection: SQLiteConnection
    package let schemaVersion: Int

    package init(file: String) throws(StoreRefusal) {
        guard !Folder.exists(RestoreSwap.journal(of: file)) else {
            throw .unsuitable(
                "A restore of \(file) is running, or was killed; then gatehouse serve finishes it.")
        }
        connection = try SQLiteFile.openReader(file)
        do throws(SQLiteError) {
            let mark = try connection.text("PRAGMA application_id")
            guard mark == String(SQLiteFile.applicationID) else { throw SQLiteError.notOurs }
        } catch {
            throw SQLiteFile.refusal(file, error)
        }
        schemaVersion = try SQLiteSchema.version(of: connection)
    }

    /// What `quick_check` and `foreign_key_check` find; empty when the store is whole.
    ///
    /// - Parameter thoroughly: `integrity_check` in place of `quick_check`.
    package func damage(thoroughly: Bool = false) throws(StoreRefusal) -> [String] {
        do throws(SQLiteError) {
            let check = thoroughly ? "integrity_check" : "quick_check"
            let structure = try connection.text("PRAGMA \(check)(20)")
            let orphans = try connection.text(
                "SELECT count(*) FROM pragma_foreign_key_check()")
            return (structure == "ok" ? [] : [structure])
                + (orphans == "0" ? [] : ["\(orphans) rows refer to rows that are gone"])
        } catch {
            throw SQLiteFile.refusal("the store", error)
        }
    }

    /// Whether the audit chain holds. Each look is a snapshot of its own.
    package func walkAudit() throws -> AuditWalk {
        var walk = AuditWalk()
        while !walk.isOver {
            try connection.run("BEGIN")
            try walk.step(connection)
            try connection.run("COMMIT")
        }
        return walk
    }

    /// A value of the `installation` table; nil when it is not there.
    package func installation(_ name: String) throws(StoreRefusal) -> String? {
        do {
            return try connection.installation.value(name)
        } catch {
            throw .damaged("The store cannot be read: \(error.cause ?? error.detail)")
        }
    }

    /// When the newest row of the audit log was written; nil when there is none.
    package func newestAuditRow() throws(StoreRefusal) -> Timestamp? {
        do {
            return try connection.audit.list(AuditLog.Filter(), before: nil, limit: 1).first?.at
        } catch {
            throw .damaged("The store cannot be read: \(error.cause ?? error.detail)")
        }
    }

    /// Every table with its rows, sorted by name.
    func tables() throws(StoreRefusal) -> [BackupManifest.Table] {
        do {
            let names = try connection.rows(
                """
                SELECT name FROM sqlite_schema
                WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name
                """
            ) { row throws(Problem) in try row.text() }
            return try names.map { name in
                let quoted = name.split(separator: "\"", omittingEmptySubsequences: false)
                    .joined(separator: "\"\"")
                let rows = try connection.text("SELECT count(*) FROM \"\(quoted)\"")
                return BackupManifest.Table(name: name, rows: Int64(rows) ?? 0)
            }
        } catch {
            throw SQLiteFile.refusal("the store", error)
        }
    }
}

extension SQLiteError {
    /// A SQLite file of some other program.
    static let notOurs = SQLiteError(code: SQLITE_NOTADB, handle: nil)
}
