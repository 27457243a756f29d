import Domain

/// The store of an installation that no daemon serves, held so that none can begin to.
package final class StoppedStore {
    private let file: String
    private let lock: InstallationLock

    /// - Throws: `inUse` while a daemon holds it; `damaged` when there is none.
    package init(file: String) throws(StoreRefusal) {
        try SQLiteFile.checkLibrary()
        self.file = file
        guard Folder.exists(file) || Folder.exists(RestoreSwap.journal(of: file)) else {
            throw .unsuitable("There is no store at \(file).")
        }
        lock = try InstallationLock(for: file)
        _ = try RestoreSwap.finish(store: file)
        do throws(StoreRefusal) {
            // As a start would: whatever a killed process left is recovered.
            _ = try SQLiteSchema.version(of: try SQLiteFile.openWriter(file))
        } catch {
            // A newer program's, or none of ours: nothing of it is copied or written to.
            lock.release()
            throw error
        }
    }

    /// Copies it, with what its write-ahead log has, into a file that `SQLiteCopy.prepare` made.
    /// Neither the schema nor a count is changed.
    ///
    /// - Parameter progress: pages that are copied, and that there are.
    package func copy(
        to path: String, progress: (_ done: Int64, _ all: Int64) -> Void = { _, _ in }
    ) throws(StoreRefusal) {
        try SQLiteCopying.copyWhole(
            of: try SQLiteFile.openWriter(file), to: path, progress: progress)
    }

    /// For the audit log, which the next start enters it in.
    package func note(_ event: AuditEvent, at now: Timestamp) throws(StoreRefusal) {
        try SQLiteFile.openWriter(file).note(event, at: now)
    }

    package func close() { lock.release() }
}
