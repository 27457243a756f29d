import Crypto
import Domain

/// Keeps the tokens of links that wait to be sent from being readable in the store: there they are
/// encrypted, with a key that lies in a file beside it (security T10, X2). A backup does not have
/// the key: a link that waited when it was made is lost with a restore, and asked for again.
struct MailSeal: Sendable {
    private let key: SymmetricKey

    private static let bytes = 32

    /// Reads the key of a data directory, and makes it where there is none.
    init(directory: String) throws(SafeFile.Failure) {
        let path = directory + "/mail-key"
        if SafeFile.exists(path) {
            let found = try SafeFile.read(path, bytesMax: Self.bytes)
            guard found.count == Self.bytes else {
                throw SafeFile.Failure(
                    reason: "\(path) is no key. Remove it and a new one is made; links that wait "
                        + "to be mailed are lost then")
            }
            key = SymmetricKey(data: found)
        } else {
            key = SymmetricKey(size: .bits256)
            try SafeFile.makeDirectory(directory)
            try SafeFile.write(key.withUnsafeBytes { Array($0) }, to: path)
        }
    }

    func seal(_ secret: Secret) throws(Problem) -> String {
        do {
            let box = try AES.GCM.seal(Array(secret.text.utf8), using: key)
            guard let sealed = box.combined else { return "" }
            return Base64URL.encode(sealed)
        } catch {
            throw .internal(cause: "a token could not be sealed: \(error)")
        }
    }

    /// Nil for what was sealed with another key, or by nobody.
    func open(_ text: String) -> Secret? {
        guard let sealed = Base64URL.decode(text.utf8),
            let box = try? AES.GCM.SealedBox(combined: sealed),
            let opened = try? AES.GCM.open(box, using: key)
        else { return nil }
        return Secret(String(decoding: opened, as: UTF8.self))
    }
}
