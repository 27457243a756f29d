import Domain

/// The signing keys in a file of mode 0600 beside the store, not in it: a copy of the store alone
/// forges nothing.
struct SigningKeyFile: Sendable {
    let path: String

    /// Nil when there is none.
    func read() throws(Problem) -> [SigningKey]? {
        guard SafeFile.exists(path) else { return nil }
        let bytes: [UInt8]
        do throws(SafeFile.Failure) {
            bytes = try SafeFile.read(path, bytesMax: 1 << 20)
        } catch {
            throw .internal(cause: error.reason)
        }
        return try Self.parse(bytes, path)
    }

    /// The file is whole before this returns.
    func write(_ keys: [SigningKey]) throws(Problem) {
        do throws(SafeFile.Failure) {
            try SafeFile.write(Self.text(of: keys), to: path)
        } catch {
            throw .internal(cause: error.reason)
        }
    }

    static func text(of keys: [SigningKey]) -> [UInt8] {
        let json = JSON.object([JSON.Member("keys", .array(keys.map(\.stored)))])
        return Array(json.encoded.utf8)
    }

    /// - Parameter place: for the message.
    static func parse(_ bytes: [UInt8], _ place: String) throws(Problem) -> [SigningKey] {
        let json: JSON
        do throws(JSONParser.Failure) {
            json = try JSONParser.parse(bytes)
        } catch {
            throw .internal(cause: "\(place) cannot be read: \(error)")
        }
        guard case .array(let entries)? = json["keys"] else {
            throw .internal(cause: "\(place) is not a key file")
        }
        let keys = entries.compactMap { SigningKey(stored: $0) }
        guard keys.count == entries.count else {
            throw .internal(cause: "\(place) has an entry that is not a key")
        }
        return keys
    }
}
