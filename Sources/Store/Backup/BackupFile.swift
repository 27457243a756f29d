import Crypto
import Domain
import Glibc

/// One file with everything that an installation is made of.
///
/// **Form.** A header of 96 bytes: `GHBACKUP`, the version 1, 1 if encrypted, six zeros, 16 bytes
/// of salt, 32 that prove the key (both zero in the clear), SHA-256 of all that. Then the payload:
/// the manifest's length in 4 bytes, big-endian, and its SHA-256, the manifest, and its parts one
/// after the other. Their lengths and SHA-256s stand in the manifest, so every byte is covered and
/// nothing can follow.
///
/// **Encrypted**, the payload is cut into chunks of 64 KiB, each sealed with ChaCha20-Poly1305 and
/// 16 bytes longer for it. The nonce is the chunk's number, and whether it is the last is
/// authenticated with it (the STREAM construction of Hoang, Reyhanitabar, Rogaway and Vizár 2015,
/// as in age): chunks that were changed, left out, put in another order or cut off at the end do
/// not open. The key is HKDF-SHA256 of the key file and the salt, so it is this file's alone.
/// The manifest is in the payload too: without the key a file shows its length, and no more.
///
/// **Invariants.** Memory does not grow with the store. A file has its final name only when all of
/// it is on the disk and was read back whole. Parts are unpacked under names of our own list.
///
/// **Rejected.** tar or zip: their readers must be guarded against paths, links and lengths, and
/// neither is sealed. The manifest at the end: the parts are files on the disk already, so their
/// hashes are to be had first, and a reader wants to know beforehand. Compression: it makes
/// `verify` slow, and whoever ships backups compresses what they ship.
package enum BackupFile {
    /// The files that become the parts; one that is nil or not there is left out.
    package struct Contents {
        package let store: String
        package let signingKeys: String?
        package let sealingKeys: String?
        package let configuration: String?

        package init(
            store: String, signingKeys: String?, sealingKeys: String? = nil,
            configuration: String?
        ) {
            self.store = store
            self.signingKeys = signingKeys
            self.sealingKeys = sealingKeys
            self.configuration = configuration
        }

        fileprivate var files: [(name: BackupManifest.PartName, path: String)] {
            let all: [(BackupManifest.PartName, String?)] = [
                (.store, store), (.signingKeys, signingKeys), (.sealingKeys, sealingKeys),
                (.configuration, configuration),
            ]
            return all.compactMap { name, path in
                guard let path, name == .store || Folder.exists(path) else { return nil }
                return (name, path)
            }
        }
    }

    package typealias Progress = (_ done: Int64, _ all: Int64) -> Void
    package typealias Stages = (_ stage: BackupStage, _ done: Int64, _ all: Int64) -> Void

    private static let blockBytes = 1 << 18

    // MARK: Writing

    /// Makes the file beside its name, reads it back, and only then gives it the name.
    ///
    /// - Parameters:
    ///   - facts: of the store's copy, from `SQLiteCopy`.
    ///   - isPaced: whether a store is served from the same disk meanwhile.
    package static func write(
        _ contents: Contents, facts: SQLiteCopy.Facts, version: String, at now: Timestamp,
        to path: String, key: BackupKey?, isPaced: Bool = false,
        progress: Stages = { _, _, _ in }
    ) throws(BackupFailure) -> BackupManifest {
        guard !Folder.exists(path) else {
            throw .cannotCreate("\(path) is there already; name another file.")
        }
        var parts: [BackupManifest.Part] = []
        for (name, path) in contents.files {
            let (bytes, hash) = try digest(path) { progress(.hashing, $0, $1) }
            parts.append(BackupManifest.Part(name: name, bytes: bytes, sha256: hash))
        }
        let manifest = BackupManifest(
            version: version, schema: facts.schema, sqlite: SQLiteStore.library.version,
            createdAt: now, isEncrypted: key != nil, tables: facts.tables, parts: parts)
        let temporary = path + ".partial"
        for suffix in [".ghb.partial", Folder.name(of: temporary)] {
            Folder.removeAbandoned(in: Folder.parent(of: path), suffix: suffix)
        }
        let file = try DiskFile.create(temporary, isPaced: isPaced)
        // Open, and so locked, until it has its name.
        defer { withExtendedLifetime(file) {} }
        do throws(BackupFailure) {
            try write(manifest, contents, to: file, key: key) { progress(.writing, $0, $1) }
            // What is read back comes from the disk, not from memory.
            file.forget()
            let found = try read(temporary, key: key, isPaced: isPaced) {
                progress(.verifying, $0, $1)
            }
            guard found == manifest else {
                throw .failed("\(temporary) does not read as it was written.")
            }
            try Folder.rename(temporary, to: path)
            try Folder.sync(Folder.parent(of: path))
        } catch {
            _ = DiskPace.unlink(temporary)
            throw error
        }
        return manifest
    }

    private static func write(
        _ manifest: BackupManifest, _ contents: Contents, to file: DiskFile, key: BackupKey?,
        progress: Progress
    ) throws(BackupFailure) {
        let sink = try BackupSink(file, key: key)
        let encoded = manifest.encoded
        try sink.write(
            (0..<4).map { UInt8(truncatingIfNeeded: encoded.count >> (24 - 8 * $0)) }
                + Array(SHA256.hash(data: encoded)) + encoded)
        let all = manifest.parts.reduce(0) { $0 + $1.bytes }
        var done: Int64 = 0
        for (_, path) in contents.files {
            let file = try DiskFile.read(path)
            while true {
                let block = try file.next(blockBytes)
                if block.isEmpty { break }
                try sink.write(block)
                done += Int64(block.count)
                progress(done, all)
            }
        }
        try sink.finish()
    }

    private static func digest(
        _ path: String, progress: Progress
    ) throws(BackupFailure) -> (bytes: Int64, hash: String) {
        let file = try DiskFile.read(path)
        let all = try file.size()
        var hash = SHA256()
        var bytes: Int64 = 0
        while true {
            let block = try file.next(blockBytes)
            if block.isEmpty { return (bytes, Hex.text(of: hash.finalize())) }
            hash.update(data: block)
            bytes += Int64(block.count)
            progress(bytes, all)
        }
    }

    // MARK: Reading

    /// Reads all of a backup and checks every byte.
    ///
    /// - Parameters:
    ///   - folder: where its parts are put, under their names, on the disk when this returns; nil
    ///     puts them nowhere.
    ///   - isPaced: whether a store is served from the same disk meanwhile.
    package static func read(
        _ path: String, key: BackupKey?, into folder: String? = nil,
        isPaced: Bool = false, progress: Progress = { _, _ in }
    ) throws(BackupFailure) -> BackupManifest {
        let source = try BackupSource(try DiskFile.read(path, isPaced: isPaced), key: key)
        let all = source.remaining
        let manifest = try readManifest(source, of: path)
        let clock = ContinuousClock()
        var (begin, unrested) = (clock.now, 0)
        for part in manifest.parts {
            let target = try folder.map { folder throws(BackupFailure) in
                try DiskFile.create("\(folder)/\(part.name.rawValue)", isPaced: isPaced)
            }
            var hash = SHA256()
            var rest = part.bytes
            while rest > 0 {
                let block = try source.read(Int(min(rest, Int64(blockBytes))))
                hash.update(data: block)
                try target?.write(block)
                rest -= Int64(block.count)
                progress(all - source.remaining, all)
                unrested += block.count
                // One that is unpacked too rests when a part of it is written.
                guard isPaced, target == nil, unrested >= DiskPace.readBytesEach else { continue }
                DiskPace.rest(after: clock.now - begin)
                (begin, unrested) = (clock.now, 0)
            }
            guard Hex.text(of: hash.finalize()) == part.sha256 else {
                throw .damaged("\(path) is damaged in its part \(part.name.rawValue).")
            }
            try target?.sync()
        }
        return manifest
    }

    /// Only what it says of itself. Its parts are not looked at, but that they are as long as it
    /// says.
    package static func manifest(
        of path: String, key: BackupKey?
    ) throws(BackupFailure) -> BackupManifest {
        try readManifest(try BackupSource(try DiskFile.read(path), key: key), of: path)
    }

    private static func readManifest(
        _ source: BackupSource, of path: String
    ) throws(BackupFailure) -> BackupManifest {
        let length = try source.read(4).reduce(0) { $0 << 8 | Int($1) }
        let hash = try source.read(32)
        guard length <= BackupManifest.bytesMax else {
            throw .damaged("\(path) is damaged in its manifest.")
        }
        let encoded = try source.read(length)
        guard SHA256.hash(data: encoded).elementsEqual(hash) else {
            throw .damaged("\(path) is damaged in its manifest.")
        }
        let manifest = try BackupManifest.decode(encoded)
        let (sum, isTooLarge) = manifest.parts.reduce(into: (Int64(0), false)) { sum, part in
            let (next, overflow) = sum.0.addingReportingOverflow(part.bytes)
            sum = (next, sum.1 || overflow)
        }
        guard !isTooLarge, sum == source.remaining else {
            throw .damaged("\(path) is cut off, or something follows it.")
        }
        return manifest
    }
}
