import Crypto

/// The key that a backup is encrypted with: the bytes of a file, at least 32 random ones.
package struct BackupKey: Sendable {
    private let secret: SymmetricKey

    /// Nil when it is shorter than 32 bytes. A longer one may be text: all of it counts.
    package init?(_ bytes: [UInt8]) {
        guard bytes.count >= 32 else { return nil }
        secret = SymmetricKey(data: bytes)
    }

    /// A key for one purpose in one file.
    func derive(_ purpose: String, salt: [UInt8]) -> SymmetricKey {
        HKDF<SHA256>.deriveKey(
            inputKeyMaterial: secret, salt: salt, info: Array("gatehouse backup \(purpose)".utf8),
            outputByteCount: 32)
    }
}

/// The first 96 bytes of a backup; `BackupFile` draws them.
struct BackupHeader {
    static let bytes = 96
    private static let magic = Array("GHBACKUP".utf8)
    static let version: UInt8 = 1

    /// Sixteen random bytes and what proves the right key, when it is encrypted.
    let seal: (salt: [UInt8], check: [UInt8])?

    init(key: BackupKey?) {
        guard let key else {
            seal = nil
            return
        }
        var random = SystemRandomNumberGenerator()
        let salt = (0..<16).map { _ in UInt8.random(in: .min ... .max, using: &random) }
        seal = (salt, Self.check(of: key, salt: salt))
    }

    /// Tells a wrong key from damage, and binds the file to one key: the cipher alone does not.
    private static func check(of key: BackupKey, salt: [UInt8]) -> [UInt8] {
        key.derive("check", salt: salt).withUnsafeBytes { Array($0) }
    }

    var encoded: [UInt8] {
        var bytes = Self.magic + [Self.version, seal == nil ? 0 : 1]
        bytes += [UInt8](repeating: 0, count: 6)
        bytes += seal?.salt ?? [UInt8](repeating: 0, count: 16)
        bytes += seal?.check ?? [UInt8](repeating: 0, count: 32)
        return bytes + Array(SHA256.hash(data: bytes))
    }

    init(_ bytes: [UInt8], of path: String) throws(BackupFailure) {
        guard bytes.count == Self.bytes, bytes.prefix(8).elementsEqual(Self.magic),
            SHA256.hash(data: bytes[..<64]).elementsEqual(bytes[64...])
        else { throw .damaged("\(path) is damaged, or not a backup of Gatehouse.") }
        guard bytes[8] == Self.version, bytes[9] <= 1 else {
            throw .damaged("\(path) was made by a newer gatehouse; use that one.")
        }
        seal = bytes[9] == 0 ? nil : (Array(bytes[16..<32]), Array(bytes[32..<64]))
    }

    /// What the chunks are sealed with; nil when the file is in the clear.
    func streamKey(_ key: BackupKey?, of path: String) throws(BackupFailure) -> SymmetricKey? {
        guard let seal else { return nil }
        guard let key else {
            throw .key("\(path) is encrypted; name its key with --key FILE.")
        }
        guard Self.check(of: key, salt: seal.salt) == seal.check else {
            throw .key("\(path) is encrypted with another key.")
        }
        return key.derive("stream", salt: seal.salt)
    }
}
