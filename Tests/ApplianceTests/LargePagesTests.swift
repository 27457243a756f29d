import Glibc
import Testing

@testable import Appliance

@Suite("Large pages")
struct LargePagesTests {
    @Test("Private memory of the program's own is heap")
    func heap() {
        #expect(LargePages.heap("7f0000-7f1000 rw-p 00000000 00:00 0 ") == 0x7f0000..<0x7f1000)
        #expect(LargePages.heap("550000-560000 rw-p 00000000 00:00 0      [heap]") != nil)
    }

    @Test(
        "Files, shared memory, code, stacks and what is no line are not",
        arguments: [
            "7f0000-7f1000 rw-s 00010000 fe:00 711 /data/counters",
            "7f0000-7f1000 rw-p 00010000 fe:00 711 /usr/lib/libc.so.6",
            "7f0000-7f1000 r-xp 00000000 00:00 0", "7f0000-7f1000 ---p 00000000 00:00 0",
            "7ff000-7ff800 rw-p 00000000 00:00 0 [stack]", "7f1000-7f0000 rw-p 00000000 00:00 0",
            "7f0000 rw-p 00000000 00:00 0", "7fxx-7fyy rw-p 00000000 00:00 0", "",
        ])
    func notHeap(line: String) {
        #expect(LargePages.heap(line) == nil)
    }

    @Test("A large part of memory is advised, and a small one left alone")
    func advice() throws {
        // One page that cannot be touched after each keeps them from being one part.
        let large = try Part(bytes: LargePages.leastBytes)
        let small = try Part(bytes: LargePages.leastBytes / 2)
        LargePages.ask()
        // A kernel that was built without large pages has none to advise.
        let hasThem = access("/sys/kernel/mm/transparent_hugepage/enabled", F_OK) == 0
        #expect(try large.isAdvised() == hasThem)
        #expect(try !small.isAdvised())
    }

    /// Mapped memory between two pages that may not be touched.
    private final class Part {
        private let base: UnsafeMutableRawPointer
        private let bytes: Int
        private static let page = sysconf(Int32(_SC_PAGESIZE))

        init(bytes: Int) throws {
            self.bytes = bytes + 2 * Self.page
            base = try #require(
                mmap(nil, self.bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))
            let made = mprotect(base + Self.page, bytes, PROT_READ | PROT_WRITE)
            try #require(made == 0)
        }

        deinit { munmap(base, bytes) }

        /// As the kernel says it: `hg` among the flags of the part that begins there.
        func isAdvised() throws -> Bool {
            let text = String(
                decoding: try SafeFile.read("/proc/self/smaps", bytesMax: 16 << 20), as: UTF8.self)
            let start = String(UInt(bitPattern: base + Self.page), radix: 16) + "-"
            let part = text.split(separator: "\n").drop { !$0.hasPrefix(start) }
            let flags = try #require(part.first { $0.hasPrefix("VmFlags:") })
            return flags.split(separator: " ").contains("hg")
        }
    }
}
