import CLinux
import Glibc

/// Writing a large file beside a store that is served: a part is put on the disk before the next is
/// written, and the disk is left alone for as long as that took. The kernel would otherwise gather
/// all of it and write it in one rush, behind which every commit waits.
enum DiskPace {
    /// A disk of 100 MB/s takes some 40 ms for it.
    static let bytesEach = 4 << 20
    /// A disk that is so slow is somebody else's already.
    private static let pauseMax: Duration = .milliseconds(250)

    /// Returns when the file's pages are on the disk and as long again has passed. Its size and
    /// place are not: `DiskFile.sync` does that at the end, and finds little left to do.
    static func flush(_ descriptor: Int32) {
        let clock = ContinuousClock()
        let took = clock.measure { _ = gatehouse_flush_pages(descriptor) }
        pause(min(took, pauseMax))
    }

    private static func pause(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        var wait = timespec(tv_sec: Int(seconds), tv_nsec: Int(attoseconds / 1_000_000_000))
        nanosleep(&wait, nil)
    }
}
