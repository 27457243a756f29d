import Domain
import Glibc

/// The moment in which a restored installation takes the place of the one that was there.
///
/// **What.** The new files lie checked and synced in a folder `restoring` beside their places. A
/// journal beside the store, `<store>.restoring`, names them and what is to be set aside. Once it
/// has its name the restore is decided: whoever opens the store next, which includes every start,
/// holds the store's lock and carries the journal out before it looks at the store (`finish`).
///
/// **Invariants.**
/// - Killed before the journal has its name, nothing of the old state was touched. Killed after,
///   the new one is there as soon as anybody opens the store. Nobody ever opens a mix.
/// - The old write-ahead log, its index and the old counter file leave before the new store comes,
///   and that is synced in between: with another store they would damage it (sqlite.md 17).
/// - Carrying it out again from any step on does the same: what is still in `restoring` is not done
///   yet; the store goes last of all; what was set aside is never written over.
/// - Nothing is deleted. What was there lies in a folder `replaced-<time>`, whole: renamed back, it
///   is the old installation.
///
/// **Rejected.** Exchanging two folders in one step (`renameat2`): the data directory is often a
/// mount or owned by another user, and the store may lie elsewhere. Undoing instead of finishing:
/// it would need the same journal, and the new files are whole and checked, so there is no doubt
/// that could make the old state the better one.
package struct RestoreSwap {
    /// A file that changes: `name` in `folder`, which is relative to the store's.
    private struct File {
        let name: String
        let folder: String
        /// A new one takes its place; otherwise it only leaves.
        let isReplaced: Bool
    }

    private let store: String
    /// The folder's name, beside each of the files.
    private let aside: String
    /// In the order of their change; the store is the last.
    private let files: [File]

    static func journal(of store: String) -> String { store + ".restoring" }

    /// - Parameters:
    ///   - store: the store's path.
    ///   - dataDirectory: where all but the store and its log are.
    ///   - parts: what lies in `staging`; each has its place.
    ///   - aside: the name of the folder for what was there.
    package init(
        store: String, dataDirectory: String, parts: [BackupManifest.PartName], aside: String
    ) {
        self.store = store
        self.aside = aside
        let name = Folder.name(of: store)
        let home = Self.sameFolder(dataDirectory, Folder.parent(of: store)) ? "" : dataDirectory
        var files = ["-wal", "-shm", "-journal"].map {
            File(name: name + $0, folder: "", isReplaced: false)
        }
        files += ["counters", "setup-token"].map {
            File(name: $0, folder: home, isReplaced: false)
        }
        for part in [BackupManifest.PartName.signingKeys, .sealingKeys, .configuration] {
            let isIn = parts.contains(part)
            // The configuration goes into the data directory: this machine has its own elsewhere.
            guard isIn || part != .configuration else { continue }
            files.append(File(name: part.rawValue, folder: home, isReplaced: isIn))
        }
        files.append(File(name: name, folder: "", isReplaced: true))
        self.files = files
    }

    private static func sameFolder(_ one: String, _ other: String) -> Bool {
        var first = stat()
        var second = stat()
        guard stat(one, &first) == 0, stat(other, &second) == 0 else { return one == other }
        return first.st_dev == second.st_dev && first.st_ino == second.st_ino
    }

    /// Where the parts of a backup are unpacked, checked and synced, on the store's disk.
    package static func staging(for store: String) -> String {
        Folder.parent(of: store) + "/restoring"
    }

    // MARK: Deciding

    /// Puts what was unpacked into `staging` in its place. The caller holds the store's lock.
    ///
    /// - Parameter step: a seam for tests: called before each step, may throw in its place.
    package func perform(
        step: () throws(BackupFailure) -> Void = {}
    ) throws(BackupFailure) {
        do throws(BackupFailure) {
            try decide(step)
        } catch {
            // Not decided: the old state stands, and what was unpacked for the new one goes.
            if !Folder.exists(Self.journal(of: store)) { clear() }
            throw error
        }
        try carryOut(step: step)
    }

    private func decide(
        _ step: () throws(BackupFailure) -> Void
    ) throws(BackupFailure) {
        try stage()
        try step()
        for folder in folders { try Folder.make("\(folder)/\(aside)") }
        let path = Self.journal(of: store)
        let draft = path + ".new"
        try Folder.remove(draft)
        let file = try DiskFile.create(draft)
        try file.write(encoded)
        try file.sync()
        for folder in folders { try Folder.sync(folder) }
        try step()
        try Folder.rename(draft, to: path)
        try Folder.sync(Folder.parent(of: store))
    }

    /// The parts lie in the store's folder under names of their own.
    private func stage() throws(BackupFailure) {
        let staging = Self.staging(for: store)
        for file in files where file.isReplaced && !file.folder.isEmpty {
            let target = "\(place(file))/restoring"
            try Folder.make(target)
            let source = try DiskFile.read("\(staging)/\(file.name)")
            try Folder.remove("\(target)/\(file.name)")
            let copy = try DiskFile.create("\(target)/\(file.name)")
            // Keys and configuration: some kilobytes.
            try copy.write(try source.next(Int(try source.size())))
            try copy.sync()
            try Folder.sync(target)
        }
        let unpacked = "\(staging)/\(BackupManifest.PartName.store.rawValue)"
        let name = "\(staging)/\(Folder.name(of: store))"
        if unpacked != name { try Folder.rename(unpacked, to: name) }
        try Folder.sync(staging)
    }

    // MARK: Carrying out

    /// Ends a restore that was decided and killed. The caller holds the store's lock.
    ///
    /// - Parameter step: as in `perform`.
    /// - Returns: where that restore has put what was there; nil when there was none.
    package static func finish(
        store: String, step: () throws(BackupFailure) -> Void = {}
    ) throws(StoreRefusal) -> String? {
        guard Folder.exists(journal(of: store)) else {
            // What one that was killed before it was decided had unpacked.
            Folder.removeTree(staging(for: store))
            unlink(journal(of: store) + ".new")
            return nil
        }
        do throws(BackupFailure) {
            let swap = try RestoreSwap(journalOf: store)
            try swap.carryOut(step: step)
            return swap.asidePath
        } catch {
            throw .unsuitable("A restore was begun here and cannot be finished: \(error)")
        }
    }

    /// What was there, as far as it lay beside the store.
    package var asidePath: String? {
        let path = "\(Folder.parent(of: store))/\(aside)"
        return Folder.exists(path) ? path : nil
    }

    private func carryOut(
        step: () throws(BackupFailure) -> Void
    ) throws(BackupFailure) {
        // Once the new store is there, a log beside it is its own.
        if let last = files.last, Folder.exists(staged(last)) {
            for file in files where !file.isReplaced {
                try step()
                try setAside(file)
            }
            for folder in folders { try Folder.sync(folder) }
        }
        for file in files where file.isReplaced && Folder.exists(staged(file)) {
            try step()
            try setAside(file)
            try step()
            try Folder.rename(staged(file), to: "\(place(file))/\(file.name)")
        }
        for folder in folders { try Folder.sync(folder) }
        try step()
        try Folder.remove(Self.journal(of: store))
        try Folder.sync(Folder.parent(of: store))
        clear()
    }

    private func clear() {
        for folder in folders {
            Folder.removeTree("\(folder)/restoring")
            // Where nothing was there before, nothing is aside: only an empty folder goes.
            rmdir("\(folder)/\(aside)")
        }
    }

    private func setAside(_ file: File) throws(BackupFailure) {
        let path = "\(place(file))/\(file.name)"
        let target = "\(place(file))/\(aside)/\(file.name)"
        guard Folder.exists(path) else { return }
        guard !Folder.exists(target) else {
            // Made by a reader since its owner left; what was worth keeping is aside.
            return file.isReplaced ? () : try Folder.remove(path)
        }
        try Folder.rename(path, to: target)
    }

    private func place(_ file: File) -> String {
        file.folder.isEmpty ? Folder.parent(of: store) : file.folder
    }

    private func staged(_ file: File) -> String { "\(place(file))/restoring/\(file.name)" }

    private var folders: [String] {
        let parent = Folder.parent(of: store)
        return [parent] + Set(files.map(place)).subtracting([parent]).sorted()
    }

    // MARK: The journal

    private var encoded: [UInt8] {
        var json = JSONWriter()
        json.object { json in
            json.member("aside", aside)
            json.member("files") { json in
                json.array(files) { json, file in
                    json.object { json in
                        json.member("name", file.name)
                        json.member("folder", file.folder)
                        json.member("replaced", file.isReplaced)
                    }
                }
            }
        }
        return json.bytes
    }

    private init(journalOf store: String) throws(BackupFailure) {
        let path = Self.journal(of: store)
        let bytes = try DiskFile.read(path).next(1 << 20)
        let json: JSON
        do throws(JSONParser.Failure) {
            json = try JSONParser.parse(bytes)
        } catch {
            throw .damaged("\(path) is damaged: \(error.reason).")
        }
        guard case .string(let aside)? = json["aside"],
            case .array(let elements)? = json["files"]
        else { throw .damaged("\(path) is damaged.") }
        self.store = store
        self.aside = aside
        files = elements.compactMap { json in
            guard case .string(let name)? = json["name"],
                case .string(let folder)? = json["folder"],
                case .bool(let isReplaced)? = json["replaced"]
            else { return nil }
            return File(name: name, folder: folder, isReplaced: isReplaced)
        }
        guard files.count == elements.count, files.last?.name == Folder.name(of: store) else {
            throw .damaged("\(path) is damaged.")
        }
    }
}
