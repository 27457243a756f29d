import Crypto

/// Chunks of an encrypted backup. `BackupFile` says why they are made so.
private enum Chunk {
    /// Bytes in the clear; all chunks but the last are full.
    static let bytes = 65_536
    static let tagBytes = 16

    /// The chunk's number: a stream key is one file's, so no nonce comes twice under it.
    static func nonce(_ number: UInt64) -> [UInt8] {
        [0, 0, 0, 0] + (0..<8).map { UInt8(truncatingIfNeeded: number >> (56 - 8 * $0)) }
    }
}

/// Where a backup's payload goes, byte after byte.
final class BackupSink {
    private let file: DiskFile
    private let key: SymmetricKey?
    private var pending: [UInt8] = []
    private var number: UInt64 = 0

    init(_ file: DiskFile, key: BackupKey?) throws(BackupFailure) {
        self.file = file
        let header = BackupHeader(key: key)
        self.key = try header.streamKey(key, of: file.path)
        try file.write(header.encoded)
    }

    func write(_ bytes: [UInt8]) throws(BackupFailure) {
        guard key != nil else { return try file.write(bytes) }
        pending += bytes
        var start = 0
        // A full chunk waits for the byte behind it: it may be the last.
        while pending.count - start > Chunk.bytes {
            try seal(Array(pending[start..<start + Chunk.bytes]), isLast: false)
            start += Chunk.bytes
        }
        pending.removeFirst(start)
    }

    /// The last chunk; then all of it is on the disk.
    func finish() throws(BackupFailure) {
        if key != nil { try seal(pending, isLast: true) }
        try file.sync()
    }

    private func seal(_ chunk: [UInt8], isLast: Bool) throws(BackupFailure) {
        guard let key else { return }
        var sealed: [UInt8] = []
        do {
            let box = try ChaChaPoly.seal(
                chunk, using: key, nonce: ChaChaPoly.Nonce(data: Chunk.nonce(number)),
                authenticating: [isLast ? 1 : 0] as [UInt8])
            sealed = Array(box.ciphertext) + Array(box.tag)
        } catch {
            throw .failed("A chunk could not be encrypted: \(error).")
        }
        number += 1
        try file.write(sealed)
    }
}

/// A backup's payload, read once from its beginning to its end. What it hands out of an encrypted
/// one is authentic; of one in the clear it is not checked yet.
final class BackupSource {
    let isEncrypted: Bool
    /// Bytes of the payload that nobody has read.
    private(set) var remaining: Int64
    private let file: DiskFile
    private let key: SymmetricKey?
    private var opened: [UInt8] = []
    private var start = 0
    private var number: UInt64 = 0
    private var chunks: Int64 = 0

    init(_ file: DiskFile, key: BackupKey?) throws(BackupFailure) {
        self.file = file
        let size = try file.size() - Int64(BackupHeader.bytes)
        let header = try BackupHeader(file.next(BackupHeader.bytes), of: file.path)
        isEncrypted = header.seal != nil
        self.key = try header.streamKey(key, of: file.path)
        remaining = size
        guard isEncrypted else { return }
        let sealed = Int64(Chunk.bytes + Chunk.tagBytes)
        chunks = (size + sealed - 1) / sealed
        remaining = size - chunks * Int64(Chunk.tagBytes)
    }

    /// Exactly `count` bytes.
    func read(_ count: Int) throws(BackupFailure) -> [UInt8] {
        guard Int64(count) <= remaining else { throw .damaged("\(file.path) is cut off.") }
        remaining -= Int64(count)
        guard key != nil else {
            let bytes = try file.next(count)
            guard bytes.count == count else { throw .damaged("\(file.path) is cut off.") }
            return bytes
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count)
        while bytes.count < count {
            if start == opened.count { try openChunk() }
            let taken = min(count - bytes.count, opened.count - start)
            bytes += opened[start..<start + taken]
            start += taken
        }
        return bytes
    }

    private func openChunk() throws(BackupFailure) {
        guard let key else { return }
        let sealed = try file.next(Chunk.bytes + Chunk.tagBytes)
        let isLast = Int64(number) + 1 == chunks
        guard sealed.count > Chunk.tagBytes else { throw .damaged("\(file.path) is cut off.") }
        let end = sealed.count - Chunk.tagBytes
        do {
            let box = try ChaChaPoly.SealedBox(
                nonce: ChaChaPoly.Nonce(data: Chunk.nonce(number)), ciphertext: sealed[..<end],
                tag: sealed[end...])
            opened = Array(
                try ChaChaPoly.open(
                    box, using: key, authenticating: [isLast ? 1 : 0] as [UInt8]))
        } catch {
            throw .damaged("\(file.path) is damaged, cut off or out of order.")
        }
        start = 0
        number += 1
    }
}
