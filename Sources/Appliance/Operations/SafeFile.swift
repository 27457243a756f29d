import Domain
import Glibc

/// Small files that must never be half there: keys, tokens, mails, configuration.
package enum SafeFile {
    package struct Failure: Error, Equatable {
        package let reason: String

        static func system(_ action: String, _ path: String) -> Failure {
            Failure(reason: "cannot \(action) \(path): \(String(cString: strerror(errno)))")
        }
    }

    package static func read(_ path: String, bytesMax: Int) throws(Failure) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .system("read", path) }
        defer { close(descriptor) }
        var found: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16_384)
        while true {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            guard count >= 0 else { throw .system("read", path) }
            if count == 0 { return found }
            found += buffer.prefix(count)
            guard found.count <= bytesMax else {
                throw Failure(reason: "\(path) is larger than \(bytesMax) bytes")
            }
        }
    }

    /// Written beside its name, synced, renamed, and the directory synced: after a crash there is
    /// the old file or the new one.
    package static func write(
        _ bytes: [UInt8], to path: String, mode: mode_t = 0o600
    ) throws(Failure) {
        let temporary = try writeBeside(path, bytes, mode)
        guard rename(temporary, path) == 0 else {
            let failure = Failure.system("write", path)
            unlink(temporary)
            throw failure
        }
        try syncDirectory(of: path)
    }

    /// The same for what is made once: false, and nothing done, when there is something already.
    package static func create(_ bytes: [UInt8], at path: String) throws(Failure) -> Bool {
        let temporary = try writeBeside(path, bytes, 0o600)
        defer { unlink(temporary) }
        guard link(temporary, path) == 0 else {
            guard errno == EEXIST else { throw .system("create", path) }
            return false
        }
        try syncDirectory(of: path)
        return true
    }

    /// The file's name, once it is whole and synced.
    private static func writeBeside(
        _ path: String, _ bytes: [UInt8], _ mode: mode_t
    ) throws(Failure) -> String {
        let temporary = "\(path).\(getpid()).new"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode)
        guard descriptor >= 0 else { throw .system("create", temporary) }
        var isWhole = fchmod(descriptor, mode) == 0
        var written = 0
        while isWhole, written < bytes.count {
            let count = bytes[written...].withUnsafeBytes {
                Glibc.write(descriptor, $0.baseAddress, $0.count)
            }
            if count > 0 { written += count } else { isWhole = false }
        }
        isWhole = isWhole && fsync(descriptor) == 0
        guard close(descriptor) == 0, isWhole else {
            let failure = Failure.system("write", path)
            unlink(temporary)
            throw failure
        }
        return temporary
    }

    package static func remove(_ path: String) throws(Failure) {
        guard unlink(path) == 0 || errno == ENOENT else { throw .system("remove", path) }
    }

    /// What a process that was killed while it wrote left in a directory: part of a file, or a
    /// secret that nobody knows of. For the one process that owns the directory.
    package static func removeLeftovers(in directory: String) throws(Failure) {
        for name in try names(in: directory) {
            let parts = name.split(separator: ".")
            guard parts.count > 2, parts.last == "new", pid_t(parts[parts.count - 2]) != nil else {
                continue
            }
            try remove("\(directory)/\(name)")
        }
    }

    package static func names(in directory: String) throws(Failure) -> [String] {
        guard let stream = opendir(directory) else { throw .system("read", directory) }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let bytes = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
            names.append(String(decoding: bytes, as: UTF8.self))
        }
        return names
    }

    package static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    package static func isDirectory(_ path: String) -> Bool {
        var about = stat()
        return stat(path, &about) == 0 && about.st_mode & S_IFMT == S_IFDIR
    }

    /// 0 for what is not there.
    package static func size(_ path: String) -> Int64 {
        var about = stat()
        return stat(path, &about) == 0 ? Int64(about.st_size) : 0
    }

    /// Nil for what is not there.
    package static func modifiedAt(_ path: String) -> Timestamp? {
        var about = stat()
        guard stat(path, &about) == 0 else { return nil }
        return Timestamp(milliseconds: Int64(about.st_mtim.tv_sec) * 1000)
    }

    /// With all its parents, each readable by its owner alone.
    package static func makeDirectory(_ path: String) throws(Failure) {
        var made = path.hasPrefix("/") ? "/" : ""
        for part in path.split(separator: "/") {
            made += (made.isEmpty || made.hasSuffix("/") ? "" : "/") + part
            guard mkdir(made, 0o700) == 0 || errno == EEXIST else { throw .system("create", made) }
        }
    }

    private static func syncDirectory(of path: String) throws(Failure) {
        let directory = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        let descriptor = open(directory.isEmpty ? "/" : directory, O_RDONLY | O_DIRECTORY)
        guard descriptor >= 0 else { throw .system("open", directory) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw .system("sync", directory) }
    }
}
