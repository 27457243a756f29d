import CLinux
import Glibc

/// Writing, reading or removing a large file beside a store that is served: a part is put on the
/// disk before the next is begun, and the disk is left alone for as long as that took. The kernel
/// would otherwise gather all of it and do it in one rush, behind which every commit waits.
enum DiskPace {
    /// Some milliseconds of a disk: as long as a commit may wait behind it.
    static let bytesEach = 1 << 20
    /// Where a file's parts lie on the disk goes there in small portions too: left for the end, it
    /// held up commits for 80 ms.
    static let syncedBytesEach: Int64 = 64 << 20
    /// What is read comes in smaller parts: it has nothing to be gathered for.
    static let readBytesEach = 1 << 18
    /// A disk that is so slow is somebody else's already.
    private static let pauseMax: Duration = .milliseconds(250)
    /// Blocks that are freed cost the file system's journal, and the disk where it is told of them
    /// (mount option `discard`), far less than blocks that are written.
    private static let freedBytesEach: Int64 = 16 << 20

    /// Returns when the file's pages are on the disk and as long again has passed. Its size and
    /// place are not: `DiskFile.sync` does that at the end, and finds little left to do.
    static func flush(_ descriptor: Int32, restingTimes times: Int = 1) {
        let clock = ContinuousClock()
        let took = clock.measure { _ = gatehouse_flush_pages(descriptor) }
        rest(after: took * times)
    }

    /// Leaves the disk alone for as long as something took.
    static func rest(after took: Duration) {
        let (seconds, attoseconds) = min(took, pauseMax).components
        var wait = timespec(tv_sec: Int(seconds), tv_nsec: Int(attoseconds / 1_000_000_000))
        nanosleep(&wait, nil)
    }

    /// Removes the name, and then the file bit by bit: 5 GB freed at once held up commits for a
    /// tenth of a second and more. One that has another name, or that somebody is reading, is left
    /// to the kernel: it must stay whole for them.
    static func unlink(_ path: String) -> Int32 {
        let descriptor = open(path, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
        defer { if descriptor >= 0 { close(descriptor) } }
        let outcome = Glibc.unlink(path)
        let reason = errno
        defer { errno = reason }
        guard outcome == 0, descriptor >= 0 else { return outcome }
        var about = stat()
        guard fstat(descriptor, &about) == 0, about.st_mode & S_IFMT == S_IFREG,
            about.st_nlink == 0, gatehouse_is_alone(descriptor) != 0
        else { return outcome }
        var rest = Int64(about.st_size) - freedBytesEach
        let clock = ContinuousClock()
        while rest > 0 {
            let took = clock.measure {
                ftruncate(descriptor, off_t(rest))
                fdatasync(descriptor)
            }
            Self.rest(after: took)
            rest -= freedBytesEach
        }
        return outcome
    }
}
