import Domain
import Glibc

/// Making a backup of the store's copy. Blocks for as long as the disk takes.
package struct BackupMaking: Sendable {
    /// The store's copy, as `SQLiteStore.copy` or `StoppedStore.copy` left it.
    private let folder: String
    /// The counter file of a process that has ended; nil where a running one has folded it.
    private let counters: String?
    private let signingKeys: String
    private let sealingKeys: String
    private let configuration: String?
    private let version: String
    private let isStopped: Bool

    /// - Parameters:
    ///   - dataDirectory: of the installation, which the caller owns; the copy is made in a folder
    ///     there, so that nothing is in the clear where an encrypted backup goes.
    ///   - isStopped: whether the counter file may hold what the store does not.
    ///   - sealingKeys: their file; nil for the data directory's own.
    ///   - version: of the program.
    package init(
        dataDirectory: String, isStopped: Bool, sealingKeys: String? = nil,
        configuration: String?, version: String
    ) {
        folder = dataDirectory + "/backup.partial"
        counters = isStopped ? dataDirectory + "/counters" : nil
        signingKeys = dataDirectory + "/signing-keys.json"
        self.sealingKeys = sealingKeys ?? dataDirectory + "/sealing-keys.json"
        self.configuration = configuration
        self.isStopped = isStopped
        self.version = version
    }

    /// Where the store is to be copied.
    package var copyPath: String { folder + "/" + BackupManifest.PartName.store.rawValue }

    /// Removes what a killed one left, and makes room for the copy.
    package func prepare() throws(BackupFailure) {
        clear()
        try Folder.make(folder)
        do throws(StoreRefusal) {
            try SQLiteCopy.prepare(copyPath)
        } catch {
            throw BackupFailure(error)
        }
    }

    /// Checks the copy and writes the backup.
    package func finish(
        to path: String, key: BackupKey?, at now: Timestamp,
        progress: BackupFile.Stages = { _, _, _ in }
    ) throws(BackupFailure) -> BackupManifest {
        progress(.checking, 0, 0)
        let facts: SQLiteCopy.Facts
        do throws(StoreRefusal) {
            facts = try SQLiteCopy.settle(copyPath, counters: counters)
        } catch {
            throw BackupFailure(error)
        }
        return try BackupFile.write(
            BackupFile.Contents(
                store: copyPath, signingKeys: signingKeys, sealingKeys: sealingKeys,
                configuration: configuration),
            facts: facts, version: version, at: now, to: path, key: key, isPaced: !isStopped,
            progress: progress)
    }

    package func clear() { Folder.removeTree(folder) }
}
