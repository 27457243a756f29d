import CLinux
import Glibc

/// A file that is read or written from its beginning to its end, however long it is.
final class DiskFile {
    let path: String
    private let descriptor: Int32
    private let isPaced: Bool
    private var written: Int64 = 0
    private var synced: Int64 = 0
    private var unflushed = 0

    /// A new file with mode 0600; one that is there already is refused. Locked for as long as it
    /// is open, which tells `Folder.removeAbandoned` that somebody writes it.
    ///
    /// - Parameter isPaced: it is large, and others need the disk meanwhile (`DiskPace`).
    static func create(
        _ path: String, isPaced: Bool = false
    ) throws(BackupFailure) -> DiskFile {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .cannotCreate(reason("Cannot create", path)) }
        flock(descriptor, LOCK_EX | LOCK_NB)
        return DiskFile(path: path, descriptor: descriptor, isPaced: isPaced)
    }

    /// - Parameter isPaced: it is large, and others need the disk meanwhile. The kernel then reads
    ///   what is asked for and no megabytes ahead, behind which a commit waited for 10 ms.
    static func read(
        _ path: String, isPaced: Bool = false
    ) throws(BackupFailure) -> DiskFile {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .failed(reason("Cannot read", path)) }
        if isPaced { posix_fadvise(descriptor, 0, 0, POSIX_FADV_RANDOM) }
        return DiskFile(path: path, descriptor: descriptor)
    }

    private init(path: String, descriptor: Int32, isPaced: Bool = false) {
        self.path = path
        self.descriptor = descriptor
        self.isPaced = isPaced
    }

    deinit { close(descriptor) }

    func size() throws(BackupFailure) -> Int64 {
        var about = stat()
        guard fstat(descriptor, &about) == 0 else {
            throw .failed(Self.reason("Cannot read", path))
        }
        guard about.st_mode & S_IFMT == S_IFREG else { throw .failed("\(path) is not a file.") }
        return Int64(about.st_size)
    }

    func write(_ bytes: [UInt8]) throws(BackupFailure) {
        let isWhole = bytes.withUnsafeBytes { buffer in
            var rest = UnsafeRawBufferPointer(buffer)
            while !rest.isEmpty {
                let count = Glibc.write(descriptor, rest.baseAddress, rest.count)
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { return false }
                rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            }
            return true
        }
        guard isWhole else { throw .cannotCreate(Self.reason("Cannot write", path)) }
        unflushed += bytes.count
        guard isPaced, unflushed >= DiskPace.bytesEach else { return }
        DiskPace.flush(descriptor)
        if written - synced >= DiskPace.syncedBytesEach {
            synced = written
            let took = ContinuousClock().measure { fdatasync(descriptor) }
            DiskPace.rest(after: took)
        }
        // Bit by bit too: gigabytes forgotten at once keep a core busy for a tenth of a second.
        gatehouse_forget_pages(descriptor, written)
        written += Int64(unflushed)
        unflushed = 0
    }

    /// The next `count` bytes; fewer only where the file ends.
    func next(_ count: Int) throws(BackupFailure) -> [UInt8] {
        var hasFailed = false
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            while filled < count {
                let got = Glibc.read(
                    descriptor, buffer.baseAddress.map { $0 + filled }, count - filled)
                if got < 0, errno == EINTR { continue }
                hasFailed = got < 0
                guard got > 0 else { return }
                filled += got
            }
        }
        guard !hasFailed else { throw .failed(Self.reason("Cannot read", path)) }
        return bytes
    }

    func sync() throws(BackupFailure) {
        guard fsync(descriptor) == 0 else {
            throw .cannotCreate(Self.reason("Cannot write", path))
        }
    }

    /// Its pages that are on the disk leave memory: a reader then reads the disk.
    func forget() { gatehouse_forget_pages(descriptor, 0) }

    static func reason(_ what: String, _ path: String) -> String {
        "\(what) \(path): \(String(cString: strerror(errno)))."
    }
}

/// Names in folders, changed one step at a time.
package enum Folder {
    static func exists(_ path: String) -> Bool {
        var about = stat()
        return lstat(path, &about) == 0
    }

    static func parent(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    static func name(of path: String) -> String {
        String(path[(path.lastIndex(of: "/").map { path.index(after: $0) } ?? path.startIndex)...])
    }

    /// With mode 0700; one that is there already is fine.
    static func make(_ path: String) throws(BackupFailure) {
        guard mkdir(path, 0o700) == 0 || errno == EEXIST else {
            throw .cannotCreate(DiskFile.reason("Cannot create", path))
        }
    }

    static func rename(_ path: String, to target: String) throws(BackupFailure) {
        guard Glibc.rename(path, target) == 0 else {
            throw .failed(DiskFile.reason("Cannot move \(path) to", target))
        }
    }

    static func remove(_ path: String) throws(BackupFailure) {
        guard DiskPace.unlink(path) == 0 || errno == ENOENT else {
            throw .failed(DiskFile.reason("Cannot remove", path))
        }
    }

    /// Names that were changed in it are on the disk when this returns.
    static func sync(_ path: String) throws(BackupFailure) {
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .failed(DiskFile.reason("Cannot open", path)) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw .failed(DiskFile.reason("Cannot sync", path)) }
    }

    /// Nil for what is no folder.
    package static func names(in path: String) -> [String]? {
        guard let folder = opendir(path) else { return nil }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    /// Removes files that a killed process was writing.
    static func removeAbandoned(in path: String, suffix: String) {
        for name in names(in: path) ?? [] where name.hasSuffix(suffix) {
            let descriptor = open("\(path)/\(name)", O_RDONLY | O_NOFOLLOW | O_CLOEXEC)
            guard descriptor >= 0 else { continue }
            if flock(descriptor, LOCK_EX | LOCK_NB) == 0 {
                _ = DiskPace.unlink("\(path)/\(name)")
            }
            close(descriptor)
        }
    }

    /// Removes files and folders below, and the folder; what resists stays, for the next attempt.
    package static func removeTree(_ path: String) {
        var about = stat()
        guard lstat(path, &about) == 0 else { return }
        guard about.st_mode & S_IFMT == S_IFDIR, let names = names(in: path) else {
            _ = DiskPace.unlink(path)
            return
        }
        for name in names { removeTree("\(path)/\(name)") }
        rmdir(path)
    }
}
