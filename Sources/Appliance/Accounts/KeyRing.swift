import Domain
import Synchronization

/// The signing keys of an installation: one signs, retired ones still verify until the last token
/// they signed has run out. Kept in a file of mode 0600 beside the store, not in it: a copy of the
/// store alone forges nothing.
package final class KeyRing: Sendable {
    private let path: String
    private let algorithm: SigningAlgorithm
    /// How long a retired key is kept: the life of an access token and the clocks' skew.
    private let overlap: Duration
    private let keys: Mutex<[SigningKey]>

    /// Opens the file, or makes it with a first key. A changed algorithm makes a new key and drops
    /// the others: one family is accepted at a time (security T1).
    package init(
        path: String, algorithm: SigningAlgorithm, tokenTTL: Duration, now: Timestamp
    ) throws(Problem) {
        self.path = path
        self.algorithm = algorithm
        overlap = tokenTTL + AccessToken.skew
        keys = Mutex([])
        let found = SafeFile.exists(path) ? try Self.read(path) : []
        let usable = found.filter { $0.algorithm == algorithm }
        keys.withLock { $0 = usable }
        if !usable.contains(where: { $0.retiredAt == nil }) { try rotate(at: now) }
    }

    /// The key that signs.
    package func active() throws(Problem) -> SigningKey {
        guard let key = keys.withLock({ $0.first { $0.retiredAt == nil } }) else {
            throw .internal(cause: "there is no active signing key")
        }
        return key
    }

    /// Nil for an unknown key, and for one that was retired longer ago than its last token lives.
    package func find(_ id: String, at now: Timestamp) -> SigningKey? {
        keys.withLock { $0.first { $0.id == id && isTrusted($0, at: now) } }
    }

    private func isTrusted(_ key: SigningKey, at now: Timestamp) -> Bool {
        key.retiredAt.map { now - $0 < overlap } ?? true
    }

    package func jwks(at now: Timestamp) -> JSON {
        let trusted = keys.withLock { $0.filter { isTrusted($0, at: now) } }
        return .object([JSON.Member("keys", .array(trusted.compactMap(\.publicJWK)))])
    }

    /// A new key signs from now on. The file is whole before the key is used: a crash in between
    /// forgets no key that has signed.
    package func rotate(at now: Timestamp) throws(Problem) {
        let made = try SigningKey(algorithm, at: now)
        var next = keys.withLock { $0 }.filter { isTrusted($0, at: now) }
        for index in next.indices where next[index].retiredAt == nil {
            next[index].retiredAt = now
        }
        next.insert(made, at: 0)
        try Self.write(next, to: path)
        keys.withLock { $0 = next }
    }

    /// Rotates when the active key is older than `age`.
    package func rotateIfDue(age: Duration, at now: Timestamp) throws(Problem) -> Bool {
        guard now - (try active().createdAt) >= age else { return false }
        try rotate(at: now)
        return true
    }

    private static func read(_ path: String) throws(Problem) -> [SigningKey] {
        let json: JSON
        do {
            json = try JSONParser.parse(try SafeFile.read(path, bytesMax: 1 << 20))
        } catch {
            throw .internal(cause: "\(path) cannot be read: \(error)")
        }
        guard case .array(let entries)? = json["keys"] else {
            throw .internal(cause: "\(path) is not a key file")
        }
        let keys = entries.compactMap { SigningKey(stored: $0) }
        guard keys.count == entries.count else {
            throw .internal(cause: "\(path) has an entry that is not a key")
        }
        return keys
    }

    private static func write(_ keys: [SigningKey], to path: String) throws(Problem) {
        let json = JSON.object([JSON.Member("keys", .array(keys.map(\.stored)))])
        do {
            try SafeFile.write(Array(json.encoded.utf8), to: path)
        } catch {
            throw .internal(cause: error.reason)
        }
    }
}
