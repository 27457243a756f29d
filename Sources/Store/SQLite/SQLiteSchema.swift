import Domain

/// The schema's version in a file, and the way from one to the next.
package enum SQLiteSchema {
    /// The version that this program reads and writes.
    package static var current: Int { Migration.all.count }

    /// The steps that a store of that version lacks, by name, in order.
    package static func steps(after version: Int) -> [String] {
        Migration.all.dropFirst(version).map(\.name)
    }

    static func version(of connection: SQLiteConnection) throws(StoreRefusal) -> Int {
        let text: String
        do throws(SQLiteError) {
            text = try connection.text("PRAGMA user_version")
        } catch {
            throw .damaged("Cannot read the store: \(error.message)")
        }
        guard let version = Int(text), version >= 0 else {
            throw .damaged("The store says that its schema is version \(text).")
        }
        guard version <= current else {
            throw .newerSchema(
                "The store has schema version \(text); this program knows up to \(current). "
                    + "Install a newer gatehouse.")
        }
        return version
    }

    /// Each step in a transaction of its own: killed in the middle, the file is at a whole version.
    static func migrate(_ connection: SQLiteConnection, from version: Int) throws(StoreRefusal) {
        for (index, migration) in Migration.all.enumerated().dropFirst(version) {
            do {
                try connection.run("BEGIN IMMEDIATE")
                for statement in migration.statements { try connection.run(statement) }
                try connection.run("PRAGMA user_version = \(index + 1)")
                try connection.run("COMMIT")
            } catch {
                if connection.isInTransaction {
                    // Closing the connection rolls back too, so a failure here changes nothing.
                    do { try connection.run("ROLLBACK") } catch {}
                }
                throw .damaged("Migration \(index + 1) (\(migration.name)) failed: \(error)")
            }
        }
    }
}
