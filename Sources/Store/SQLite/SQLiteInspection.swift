import CSQLite

/// A look at a store from another process, beside a running daemon: one reading connection, which
/// takes part in SQLite's locking, never checkpoints and never writes.
package final class SQLiteInspection {
    private let connection: SQLiteConnection
    package let schemaVersion: Int

    package init(file: String) throws(StoreRefusal) {
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
    package func damage() throws(StoreRefusal) -> [String] {
        do throws(SQLiteError) {
            let structure = try connection.text("PRAGMA quick_check(20)")
            let orphans = try connection.text(
                "SELECT count(*) FROM pragma_foreign_key_check()")
            return (structure == "ok" ? [] : [structure])
                + (orphans == "0" ? [] : ["\(orphans) rows refer to rows that are gone"])
        } catch {
            throw SQLiteFile.refusal("the store", error)
        }
    }
}

extension SQLiteError {
    /// A SQLite file of some other program.
    static let notOurs = SQLiteError(code: SQLITE_NOTADB, handle: nil)
}
