import Glibc
import Support

/// A file as the system sees it, without SQLite. Never `bytes` of a store that is open: closing the
/// descriptor would drop SQLite's locks (sqlite.md 6).
struct TestFile {
    let path: String

    func bytes() throws -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw TemporaryFolder.Failure(what: "cannot open \(path)") }
        defer { close(descriptor) }
        var found: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            guard count > 0 else { return found }
            found += chunk.prefix(count)
        }
    }

    func lines() throws -> [String] {
        String(decoding: try bytes(), as: UTF8.self).split(separator: "\n").map(String.init)
    }

    /// One write(2) at the end, which survives the process once it returned.
    func append(_ text: String) throws { try append(Array(text.utf8)) }

    func append(_ bytes: [UInt8]) throws {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        defer { close(descriptor) }
        guard Glibc.write(descriptor, bytes, bytes.count) == bytes.count else {
            throw TemporaryFolder.Failure(what: "cannot write \(path)")
        }
    }

    /// Damage: other bytes in a file that is there.
    func overwrite(_ bytes: [UInt8], at offset: Int) throws {
        let descriptor = open(path, O_WRONLY | O_CLOEXEC)
        defer { close(descriptor) }
        guard pwrite(descriptor, bytes, bytes.count, off_t(offset)) == bytes.count else {
            throw TemporaryFolder.Failure(what: "cannot write \(path)")
        }
    }

    /// Nil when there is no such file.
    var size: Int? { status().map { Int($0.st_size) } }

    /// The permission bits; nil when there is no such file.
    var mode: UInt32? { status().map { $0.st_mode & 0o777 } }

    private func status() -> stat? {
        var about = stat()
        return stat(path, &about) == 0 ? about : nil
    }
}
