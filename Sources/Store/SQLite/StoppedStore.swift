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
    }

    /// Copies it, with what its write-ahead log has, into a file that `SQLiteCopy.prepare` made.
    /// Neither the schema nor a count is changed.
    ///
    package func copy(to path: String) throws(StoreRefusal) {
        let source = try SQLiteFile.openWriter(file)
        do throws(SQLiteError) {
            let copying = try SQLiteCopying(of: source, to: path)
            while try !copying.step() {}
        } catch {
            throw SQLiteFile.refusal(path, error)
        }
    }

    package func close() { lock.release() }
}
