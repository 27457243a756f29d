import Crypto
import Domain

/// The key that encrypts what the server has to read again, such as the secrets of one-time codes.
/// Kept in a file of mode 0600 beside the store, not in it: a copy of the store alone opens nothing
/// (security X2).
///
/// The file can hold several keys: the first seals, all of them open.
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

    private let keys: [Key]

    /// Opens the file, or makes it with a first key.
    package init(path: String, now: Timestamp) throws(Problem) {
        guard !SafeFile.exists(path) else {
            keys = try Self.read(path)
            return
        }
        keys = [Key(at: now)]
        let json = JSON.object([JSON.Member("keys", .array(keys.map(\.json)))])
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
}
