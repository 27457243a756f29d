import CLinux
import Glibc

/// Whether a disk has the room that work is going to need. Asked before it begins, so that nothing
/// is half done when it runs out; what others write meanwhile is theirs to say.
package struct DiskRoom: Sendable {
    /// Bytes that will be written below a folder.
    package struct Need: Sendable {
        let folder: String
        let bytes: Int64

        package init(_ folder: String, _ bytes: Int64) {
            self.folder = folder
            self.bytes = bytes
        }
    }

    /// Beside what is written itself: names, the file system's own, what others write meanwhile.
    private static let margin: Int64 = 16 << 20

    /// Bytes free to this user where a path is; below 0 when it cannot be told. A seam for tests.
    private let free: @Sendable (String) -> Int64

    package init(free: @escaping @Sendable (String) -> Int64 = { gatehouse_free_bytes($0) }) {
        self.free = free
    }

    /// - Parameters:
    ///   - work: the line's subject, such as "A backup".
    ///   - remedy: a sentence behind it; empty for none.
    /// - Throws: `cannotCreate`, with how much is needed, where, and how much is there.
    package func require(
        _ needs: [Need], for work: String, remedy: String = ""
    ) throws(BackupFailure) {
        // Needs on one disk add up.
        var disks: [(device: dev_t?, folder: String, bytes: Int64)] = []
        for need in needs {
            let device = Self.device(of: need.folder)
            if let index = disks.firstIndex(where: { $0.device == device }) {
                disks[index].bytes += need.bytes
            } else {
                disks.append((device, need.folder, need.bytes))
            }
        }
        for disk in disks {
            let there = free(disk.folder)
            let needed = disk.bytes + Self.margin
            guard there >= 0, there < needed else { continue }
            let line =
                "\(work) needs \(Self.text(needed)) where \(disk.folder) is; "
                + "\(Self.text(there)) are free."
            throw .cannotCreate(remedy.isEmpty ? line : line + " " + remedy)
        }
    }

    private static func device(of folder: String) -> dev_t? {
        var about = stat()
        return stat(folder, &about) == 0 ? about.st_dev : nil
    }

    /// Rounded up to a tenth of a unit: a disk with as much is enough.
    package static func text(_ bytes: Int64) -> String {
        for (unit, size) in [("GiB", Int64(1) << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)]
        where bytes >= size {
            let tenths = (bytes * 10 + size - 1) / size
            return "\(tenths / 10).\(tenths % 10) \(unit)"
        }
        return "\(bytes) bytes"
    }

    /// Bytes of a store: its file, and its write-ahead log, which may not be in it yet.
    package static func bytes(ofStore path: String) -> Int64 {
        [path, path + "-wal"].reduce(0) { sum, path in
            var about = stat()
            return sum + (stat(path, &about) == 0 ? Int64(about.st_size) : 0)
        }
    }
}
