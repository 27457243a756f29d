import Glibc
import Support

/// A file system of its own in memory, with room for a header and one segment and a half of a
/// counter file. Needs the right to mount.
final class TinyDisk {
    let path: String
    private let folder: TemporaryFolder

    static let bytes = 1_640_000

    init?() throws {
        folder = try TemporaryFolder()
        path = folder.path + "/disk"
        guard mkdir(path, 0o700) == 0,
            mount("tmpfs", path, "tmpfs", 0, "size=\(Self.bytes),mode=0700") == 0
        else { return nil }
    }

    deinit { umount2(path, Int32(MNT_DETACH)) }

    static var isPossible: Bool {
        do { return try TinyDisk() != nil } catch { return false }
    }
}
