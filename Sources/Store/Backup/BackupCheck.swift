import Domain
import Glibc

/// Unpacking a backup and looking its store over.
package enum BackupCheck {
    /// Unpacks a backup into a new folder, where its store is then opened and compared with its
    /// manifest. The folder is removed when that fails.
    ///
    /// - Parameter isPaced: whether a store is served from the same disk meanwhile.
    /// - Throws: `damaged` when anything is not as it was written; also when the store is of a
    ///   newer program. `cannotCreate` when there is no room for it, before anything is written.
    package static func unpack(
        _ path: String, key: BackupKey?, into folder: String,
        room: DiskRoom = DiskRoom(), isPaced: Bool = false,
        progress: BackupFile.Progress = { _, _ in }
    ) throws(BackupFailure) -> BackupManifest {
        // What is unpacked is as long as what it is packed in, but for the seals.
        let bytes = try DiskFile.read(path).size()
        try room.require(
            [DiskRoom.Need(Folder.parent(of: folder), bytes)], for: "Unpacking \(path)")
        do throws(BackupFailure) {
            try Folder.make(folder)
            let manifest = try BackupFile.read(
                path, key: key, into: folder, isPaced: isPaced, progress: progress)
            let store = "\(folder)/\(BackupManifest.PartName.store.rawValue)"
            let facts: SQLiteCopy.Facts
            do throws(StoreRefusal) {
                facts = try SQLiteCopy.check(store, thoroughly: true)
            } catch {
                throw BackupFailure(error)
            }
            guard facts.tables == manifest.tables, facts.schema == manifest.schema else {
                throw .damaged("The store in \(path) is not the one its manifest tells of.")
            }
            try Folder.sync(folder)
            return manifest
        } catch {
            Folder.removeTree(folder)
            throw error
        }
    }

    /// The backup in a folder that was written last; nil when there is none.
    package static func newest(in folder: String) -> String? {
        let backups = (Folder.names(in: folder) ?? []).filter { $0.hasSuffix(".ghb") }
        let dated = backups.compactMap { name -> (seconds: Int, path: String)? in
            var about = stat()
            guard stat("\(folder)/\(name)", &about) == 0 else { return nil }
            return (about.st_mtim.tv_sec, "\(folder)/\(name)")
        }
        // Names tell the time they were made at: they decide within a second.
        return dated.max { $0 < $1 }?.path
    }

    /// Runs `body` with a path that is free, in a folder of its own that is removed afterwards.
    ///
    /// - Parameter parent: a folder with room for the whole store.
    package static func withScratch<Value>(
        in parent: String, _ body: (_ folder: String) throws -> Value
    ) throws -> Value {
        var template = Array("\(parent)/gatehouse-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw BackupFailure.cannotCreate(
                DiskFile.reason("Cannot create a folder in", parent))
        }
        let folder = String(
            decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        defer { Folder.removeTree(folder) }
        return try body("\(folder)/backup")
    }
}
