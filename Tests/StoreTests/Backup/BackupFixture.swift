import Domain
import Support

@testable import Store

/// A backup of parts that are made up: the form does not look into them.
struct BackupFixture {
    let folder: TemporaryFolder
    let path: String
    let key: BackupKey?
    let manifest: BackupManifest
    let store: [UInt8]

    static let facts = SQLiteCopy.Facts(
        schema: 2,
        tables: [
            BackupManifest.Table(name: "plans", rows: 2),
            BackupManifest.Table(name: "users", rows: 3),
        ])
    static let now = Timestamp(milliseconds: 1_795_435_200_000)

    /// Four chunks and a bit when it is encrypted.
    init(isEncrypted: Bool, storeBytes: Int = 270_000, seed: UInt64 = 7) throws {
        folder = try TemporaryFolder()
        path = "\(folder.path)/a.ghb"
        key = isEncrypted ? try Self.key(seed) : nil
        var sample = Sample(seed: seed)
        store = sample.bytes(storeBytes)
        try TestFile(path: "\(folder.path)/store").append(store)
        try TestFile(path: "\(folder.path)/keys").append("{\"keys\":[]}")
        manifest = try BackupFile.write(
            BackupFile.Contents(
                store: "\(folder.path)/store", signingKeys: "\(folder.path)/keys",
                configuration: "\(folder.path)/not-there"),
            facts: Self.facts, version: "1.2.3", at: Self.now, to: path, key: key)
    }

    static func key(_ seed: UInt64) throws -> BackupKey {
        var sample = Sample(seed: seed)
        guard let key = BackupKey(sample.bytes(32)) else {
            throw TemporaryFolder.Failure(what: "no key of 32 bytes")
        }
        return key
    }

    func bytes() throws -> [UInt8] { try TestFile(path: path).bytes() }

    /// Why a file with these bytes is refused; nil when it is read.
    func refusal(of bytes: [UInt8]) throws -> BackupFailure? {
        let other = "\(folder.path)/other.ghb"
        try Folder.remove(other)
        try TestFile(path: other).append(bytes)
        return refusal(other, key)
    }

    func refusal(_ path: String, _ key: BackupKey?) -> BackupFailure? {
        do throws(BackupFailure) {
            _ = try BackupFile.read(path, key: key)
            return nil
        } catch {
            return error
        }
    }
}

extension BackupFailure {
    var isDamage: Bool { if case .damaged = self { true } else { false } }
    var isKey: Bool { if case .key = self { true } else { false } }
}
