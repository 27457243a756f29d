import Domain
import Glibc
import ServiceLifecycle

/// Asks Linux for large pages where the heap is large.
///
/// With a million customers in memory each request goes to pages that no other has lately gone to,
/// and to find a page takes a third of the time (docs/performance.md). Linux gathers large pages by
/// itself for a program that asks (`transparent_hugepage/enabled`: `madvise`, as Debian has it).
/// The C library can ask (`glibc.malloc.hugetlb`), but not for what threads other than the first
/// take, which is nearly all here. Parts that are not large are left alone: a server with few
/// customers stays as small as it is.
struct LargePages: Service {
    /// Above what any part of the heap has in an idle server, and 8 large pages of x86-64.
    static let leastBytes = 16 << 20
    /// Linux gathers some 100 MB a minute, unless it is told otherwise.
    private static let pause: Duration = .seconds(60)

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                Self.ask()
                do { try await Task.sleep(for: Self.pause) } catch { return }
            }
        }
    }

    /// Once for all there is. A part that is gone meanwhile is none, and what has come in its place
    /// is only advised: no content changes. A kernel without large pages says no.
    static func ask() {
        // A line for each part of memory: some hundreds.
        guard let maps = try? SafeFile.read("/proc/self/maps", bytesMax: 1 << 20) else { return }
        for line in maps.split(separator: UInt8(ascii: "\n")) {
            guard let part = heap(String(decoding: line, as: UTF8.self)), part.count >= leastBytes
            else { continue }
            madvise(UnsafeMutableRawPointer(bitPattern: part.lowerBound), part.count, MADV_HUGEPAGE)
        }
    }

    /// The addresses in a line of `/proc/<pid>/maps` (proc(5)): `7f5e4000-7f5e5000 rw-p 00000000
    /// 00:00 0`. Nil for what is no private memory of the program's own: a file, code, a stack.
    static func heap(_ line: String) -> Range<UInt>? {
        let fields = line.split(separator: " ")
        guard fields.count == 5 || fields.count == 6 && fields[5] == "[heap]",
            fields[1] == "rw-p", fields[4] == "0"
        else { return nil }
        let ends = fields[0].split(separator: "-").compactMap { UInt($0, radix: 16) }
        return ends.count == 2 && ends[0] < ends[1] ? ends[0]..<ends[1] : nil
    }
}
