import Glibc
import Synchronization

/// What a copy wants of the disk, done on a thread beside the writer's, between two steps.
///
/// **Writing.** A copy is written faster than any disk takes it. Left alone, the kernel gathers
/// gigabytes of it and then writes them in one rush, and each commit of the store waits for its own
/// few KB behind that: the slowest hundredth of writes waited ten times as long and more
/// (docs/performance.md). So the copy stops after each step until that step is on the disk, and
/// then for twice as long again: two thirds of the disk's time are the others'.
///
/// **Reading.** The kernel reads ahead of whoever reads a file from beginning to end, 8 MB at a
/// time on some disks, and the writer, and each commit, waited 10 ms for those. So what is to be
/// copied is asked for in small parts, and so early that the kernel finds it in memory already.
final class SQLiteCopyDisk: Sendable {
    private let queue = BoundedQueue<Int64>(capacity: 1)
    private let isBusy: Flag
    private let thread: WorkThread?
    private let descriptor: Int32

    private final class Flag: Sendable {
        let value = Atomic(false)
    }

    /// - Parameters:
    ///   - source: the store's file, absolute, which this process has open.
    ///   - wake: called when the next step may be made.
    init(
        from source: UnsafePointer<CChar>?, to path: String, wake: @escaping @Sendable () -> Void
    ) {
        let target = open(path, O_RDONLY | O_CLOEXEC)
        descriptor = target
        let from = source.flatMap { Self.openDescriptor(of: $0) }
        let flag = Flag()
        isBusy = flag
        thread = WorkThread(name: "store-copy") { [queue] in
            var ahead = from.map { ReadAhead(of: $0) }
            while let steps = queue.take(atMost: 1) {
                for offset in steps {
                    ahead?.reach(offset)
                    DiskPace.flush(target, restingTimes: 2)
                }
                flag.value.store(false, ordering: .releasing)
                wake()
            }
        }
    }

    var isReady: Bool { !isBusy.value.load(ordering: .acquiring) }

    /// - Parameter offset: in the source's file, of what the next step reads.
    func begin(next offset: Int64) {
        guard thread != nil, descriptor >= 0 else { return }
        isBusy.value.store(true, ordering: .releasing)
        if queue.put(offset) != .put { isBusy.value.store(false, ordering: .releasing) }
    }

    /// Closing the descriptor drops this process's locks on the copy (sqlite.md 6), which nobody
    /// else opens before it is whole; never on the store.
    deinit {
        queue.close()
        thread?.join()
        if descriptor >= 0 { close(descriptor) }
    }

    /// One that SQLite has the file open with. To open the file once more would mean to close it
    /// once more, which drops SQLite's locks on it (sqlite.md 6). Nothing is done with it but to
    /// give advice: should SQLite close it meanwhile, that is lost, and no more.
    private static func openDescriptor(of path: UnsafePointer<CChar>) -> Int32? {
        var wanted = stat()
        guard stat(path, &wanted) == 0 else { return nil }
        return (Folder.names(in: "/proc/self/fd") ?? []).lazy.compactMap { Int32($0) }
            .first { descriptor in
                var about = stat()
                return fstat(descriptor, &about) == 0 && about.st_dev == wanted.st_dev
                    && about.st_ino == wanted.st_ino
            }
    }
}

/// What of a file was asked for before it is read.
private struct ReadAhead {
    /// Two of the kernel's own read-aheads, the largest that were met.
    private static let bytes: Int64 = 16 << 20
    private static let bytesEach: Int64 = 1 << 18
    /// As long as a part takes on a slow disk; only the first ones come one after the other.
    private static let rest: Duration = .milliseconds(1)

    private let descriptor: Int32
    private var asked: Int64 = 0

    init(of descriptor: Int32) { self.descriptor = descriptor }

    mutating func reach(_ offset: Int64) {
        while asked < offset + Self.bytes {
            posix_fadvise(
                descriptor, off_t(asked), off_t(Self.bytesEach), POSIX_FADV_WILLNEED)
            asked += Self.bytesEach
            if asked < offset + Self.bytes { DiskPace.rest(after: Self.rest) }
        }
    }
}
