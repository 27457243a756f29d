import Crypto
import Domain

/// The key that encrypts what the server has to read again, such as the secrets of one-time codes.
/// Kept in a file of mode 0600 beside the store, not in it: a copy of the store alone opens nothing
/// (security X2).
///
/// The file can hold several keys: the first seals, all of them open. Nodes of one store have the
/// same file each.
package final class SealingKeys: Sendable {
    private struct Key {
        let secret: SymmetricKey
        let json: JSON

        init(at now: Timestamp) {
            secret = SymmetricKey(size: .bits256)
            let bytes = secret.withUnsafeBytes { Array($0) }
            json = .object([
                JSON.Member("created_at", .string(now.description)),
                JSON.Member("secret", .string(Base64URL.encode(bytes))),
            ])
        }

        /// Nil when the file's entry is not one of ours.
        init?(stored: JSON) {
            guard case .string(let text)? = stored["secret"],
                let bytes = Base64URL.decode(text.utf8), bytes.count == 32
            else { return nil }
            secret = SymmetricKey(data: bytes)
            json = stored
        }
    }

    let path: String
    private let keys: [Key]

    /// Opens the file, or makes it with a first key.
    package convenience init(path: String, now: Timestamp) throws(Problem) {
        if !SafeFile.exists(path) { try Self.make(path, at: now) }
        try self.init(path: path)
    }

    /// Opens a file that is there.
    init(path: String) throws(Problem) {
        self.path = path
        keys = try Self.read(path)
    }

    /// A new file with a first key.
    static func make(_ path: String, at now: Timestamp) throws(Problem) {
        let json = JSON.object([JSON.Member("keys", .array([Key(at: now).json]))])
        do throws(SafeFile.Failure) {
            try SafeFile.write(Array(json.encoded.utf8), to: path)
        } catch {
            throw .internal(cause: error.reason)
        }
    }

    private static func read(_ path: String) throws(Problem) -> [Key] {
        let json: JSON
        do {
            json = try JSONParser.parse(try SafeFile.read(path, bytesMax: 1 << 20))
        } catch {
            throw .internal(cause: "\(path) cannot be read: \(error)")
        }
        guard case .array(let entries)? = json["keys"] else {
            throw .internal(cause: "\(path) is not a key file")
        }
        let keys = entries.compactMap { Key(stored: $0) }
        guard keys.count == entries.count, !keys.isEmpty else {
            throw .internal(cause: "\(path) has an entry that is not a key")
        }
        return keys
    }

    /// - Parameter context: what it is and whose: it opens with the same context only, so that no
    ///   row's value works in another's place.
    func seal(_ bytes: [UInt8], context: String) throws(Problem) -> [UInt8] {
        do {
            guard let key = keys.first,
                let sealed = try AES.GCM.seal(
                    bytes, using: key.secret, authenticating: Array(context.utf8)
                ).combined
            else { throw Problem.internal(cause: "there is no sealing key") }
            return Array(sealed)
        } catch {
            throw .internal(cause: "sealing failed: \(error)")
        }
    }

    func open(_ sealed: [UInt8], context: String) throws(Problem) -> [UInt8] {
        for key in keys {
            guard let box = try? AES.GCM.SealedBox(combined: sealed),
                let bytes = try? AES.GCM.open(
                    box, using: key.secret, authenticating: Array(context.utf8))
            else { continue }
            return Array(bytes)
        }
        throw .internal(cause: "no sealing key opens what was sealed as \(context)")
    }

    func opens(_ sealed: [UInt8], context: String) -> Bool {
        do throws(Problem) {
            _ = try open(sealed, context: context)
            return true
        } catch {
            return false
        }
    }
}
