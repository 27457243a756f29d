import CLinux
import Glibc

/// Writing or reading a large file beside a store that is served: a part is put on the disk before
/// the next is written, and the disk is left alone for as long as that took. The kernel would
/// otherwise gather all of it and write it in one rush, behind which every commit waits.
enum DiskPace {
    /// Some milliseconds of a disk: as long as a commit may wait behind it.
    static let bytesEach = 1 << 20
    /// A disk that is so slow is somebody else's already.
    private static let pauseMax: Duration = .milliseconds(250)

    /// Returns when the file's pages are on the disk and as long again has passed. Its size and
    /// place are not: `DiskFile.sync` does that at the end, and finds little left to do.
    static func flush(_ descriptor: Int32) {
        let clock = ContinuousClock()
        let took = clock.measure { _ = gatehouse_flush_pages(descriptor) }
        rest(after: took)
    }

    /// Leaves the disk alone for as long as something took.
    static func rest(after took: Duration) {
        let (seconds, attoseconds) = min(took, pauseMax).components
        var wait = timespec(tv_sec: Int(seconds), tv_nsec: Int(attoseconds / 1_000_000_000))
        nanosleep(&wait, nil)
    }
}
