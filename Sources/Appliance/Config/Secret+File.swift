/// A file that should have a secret and does not.
struct UnusableSecret: Error {
    let reason: String
}

extension Secret {
    private static let fileBytesMax = 64 * 1024

    /// What an editor or `echo` leaves behind a secret is not part of it.
    ///
    /// - Parameter key: of the configuration, for who has to change it.
    init(file path: String, key: String) throws(UnusableSecret) {
        var bytes: [UInt8]
        do throws(SafeFile.Failure) {
            bytes = try SafeFile.read(path, bytesMax: Self.fileBytesMax)
        } catch {
            throw UnusableSecret(reason: "\(key): \(error.reason)")
        }
        if bytes.last == UInt8(ascii: "\n") { bytes.removeLast() }
        guard !bytes.isEmpty else { throw UnusableSecret(reason: "\(key): \(path) is empty") }
        self.init(String(decoding: bytes, as: UTF8.self))
    }
}
