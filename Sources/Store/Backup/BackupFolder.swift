import Crypto
import Domain
import Glibc

/// The backups in a folder, as far as can be told without reading all of them.
package struct BackupFolder: Sendable {
    package let path: String

    package init(_ path: String) { self.path = path }

    /// One file that ends in `.ghb`.
    package struct Entry: Sendable {
        /// In its folder; never with a slash.
        package let name: String
        package let bytes: Int64
        /// When it was made: by its manifest, by its name if that is sealed, else by its file.
        package let createdAt: Timestamp
        /// Nil when its head cannot be read: damaged, or no backup.
        package let isEncrypted: Bool?
        /// Nil also when it is encrypted and its key is not at hand.
        package let manifest: BackupManifest?

        package init(
            name: String, bytes: Int64, createdAt: Timestamp, isEncrypted: Bool?,
            manifest: BackupManifest?
        ) {
            self.name = name
            self.bytes = bytes
            self.createdAt = createdAt
            self.isEncrypted = isEncrypted
            self.manifest = manifest
        }
    }

    /// The names of the backups, the newest first as far as the names tell.
    package func names() -> [String] {
        (Folder.names(in: path) ?? []).filter(isBackup).sorted(by: >)
    }

    /// A file of the folder itself: no path, no link, nothing hidden.
    private func isBackup(_ name: String) -> Bool {
        guard name.hasSuffix(BackupName.suffix), !name.contains("/"), !name.hasPrefix(".")
        else { return false }
        var about = stat()
        return lstat("\(path)/\(name)", &about) == 0 && about.st_mode & S_IFMT == S_IFREG
    }

    /// Nil when there is no such backup.
    package func entry(_ name: String, key: BackupKey?) -> Entry? { open(name)?.entry(name, key) }

    /// A backup to hand out. Nil when there is no such one.
    package func open(_ name: String) -> OpenBackup? {
        isBackup(name) ? try? OpenBackup("\(path)/\(name)") : nil
    }

    /// Deletes one, if it is there. Only what has a name that Gatehouse chose.
    package func delete(_ name: BackupName) throws(BackupFailure) {
        try Folder.remove("\(path)/\(name)")
        try Folder.sync(path)
    }
}

/// A backup that is read in parts: its descriptor stays its own if the file is replaced or deleted.
package final class OpenBackup: Sendable {
    package let bytes: Int64
    /// SHA-256, in hexadecimal digits, of its head, length and time. Without reading all of it this
    /// tells one backup from another: the head covers every byte, by the parts' hashes or by a salt
    /// of its own.
    package let tag: String
    private let descriptor: Int32
    private let changedAt: Timestamp
    private let path: String

    /// In the clear, more than the manifest; sealed, the header with its salt and the first chunk.
    private static let headBytes = 64 << 10

    /// - Throws: when it is not there, or is a link or anything else than a file.
    init(_ path: String) throws(BackupFailure) {
        self.path = path
        // O_NONBLOCK: a pipe that took its name meanwhile must not hold us up.
        descriptor = Glibc.open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
        guard descriptor >= 0 else { throw .failed(DiskFile.reason("Cannot read", path)) }
        var about = stat()
        let isFile = fstat(descriptor, &about) == 0 && about.st_mode & S_IFMT == S_IFREG
        bytes = Int64(about.st_size)
        changedAt = Timestamp(
            milliseconds: Int64(about.st_mtim.tv_sec) * 1000
                + Int64(about.st_mtim.tv_nsec) / 1_000_000)
        var hash = SHA256()
        if isFile { hash.update(data: Self.read(descriptor, at: 0, Self.headBytes) ?? []) }
        hash.update(data: Array("\(bytes) \(changedAt)".utf8))
        tag = Hex.text(of: hash.finalize())
        guard isFile else { throw .failed("\(path) is not a file.") }
    }

    deinit { close(descriptor) }

    /// Bytes from an offset on, fewer only at the end; nil when the disk fails.
    package func read(at offset: Int64, _ count: Int) -> [UInt8]? {
        Self.read(descriptor, at: offset, count)
    }

    private static func read(_ descriptor: Int32, at offset: Int64, _ count: Int) -> [UInt8]? {
        var hasFailed = false
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            while filled < count {
                let got = pread(
                    descriptor, buffer.baseAddress.map { $0 + filled }, count - filled,
                    off_t(offset) + off_t(filled))
                if got < 0, errno == EINTR { continue }
                hasFailed = got < 0
                guard got > 0 else { return }
                filled += got
            }
        }
        return hasFailed ? nil : bytes
    }

    fileprivate func entry(_ name: String, _ key: BackupKey?) -> BackupFolder.Entry {
        let head = read(at: 0, BackupHeader.bytes) ?? []
        let header = try? BackupHeader(head, of: path)
        let manifest = header.flatMap { _ in try? BackupFile.manifest(of: path, key: key) }
        return BackupFolder.Entry(
            name: name, bytes: bytes,
            createdAt: manifest?.createdAt ?? BackupName(name)?.madeAt ?? changedAt,
            isEncrypted: header.map { $0.seal != nil }, manifest: manifest)
    }
}
