import Domain

/// A store that has rows, is of an older schema, and is about to be migrated. Its process owns it,
/// and nothing has been changed yet.
package struct SQLiteMigrating {
    package let from: Int
    package let to: Int
    private let connection: SQLiteConnection

    init(_ connection: SQLiteConnection, from version: Int) {
        self.connection = connection
        from = version
        to = SQLiteSchema.current
    }

    /// Copies the store as it is into a file that `SQLiteCopy.prepare` made.
    ///
    /// - Parameter progress: pages that are copied, and that there are.
    package func copy(
        to path: String, progress: (_ done: Int64, _ all: Int64) -> Void = { _, _ in }
    ) throws(StoreRefusal) {
        try SQLiteCopying.copyWhole(of: connection, to: path, progress: progress)
    }

    /// For the audit log, which the new schema may have in another form.
    package func note(_ event: AuditEvent, at now: Timestamp) throws(StoreRefusal) {
        try connection.note(event, at: now)
    }
}

extension SQLiteConnection {
    /// Leaves a note for the audit log in a transaction of its own.
    func note(_ event: AuditEvent, at now: Timestamp) throws(StoreRefusal) {
        do {
            try run("BEGIN IMMEDIATE")
            try auditNotes.add(event, at: now)
            try run("COMMIT")
        } catch let problem as Problem {
            throw .damaged("The store takes no note: \(problem.cause ?? problem.detail)")
        } catch {
            throw SQLiteFile.refusal("The store", error)
        }
    }
}

extension SQLiteCopying {
    /// A copy that nobody else waits for.
    static func copyWhole(
        of source: SQLiteConnection, to path: String,
        progress: (_ done: Int64, _ all: Int64) -> Void
    ) throws(StoreRefusal) {
        do throws(SQLiteError) {
            let copying = try SQLiteCopying(of: source, to: path)
            while try !copying.step() { progress(copying.done, copying.all) }
        } catch {
            throw SQLiteFile.refusal(path, error)
        }
    }
}
