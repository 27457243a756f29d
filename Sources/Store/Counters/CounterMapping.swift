import CLinux
import Glibc

/// The counter file on disk, and the range of addresses that its segments are mapped into.
///
/// The range is reserved once, as long as the file may ever be, and costs nothing until a segment
/// is mapped into it. So a place's address is a sum, and needs no table that a reader would have to
/// lock.
///
/// Unchecked, because nothing in it changes after `init`; what it maps is guarded by its owner.
final class CounterMapping: @unchecked Sendable {
    /// A whole number of pages of any size that Linux has (64 KiB on some ARM).
    static let headerBytes = 65_536
    /// 8192 places: 1 MiB.
    static let segmentBytes = 8192 * CounterSlot.bytes

    /// Gives a part of the file blocks on the disk, as `posix_fallocate` does; returns its error.
    typealias Allocate = @Sendable (_ descriptor: Int32, _ offset: Int, _ length: Int) -> Int32

    let path: String
    /// Where a file that stood there and could not be trusted is now.
    let setAside: String?
    let segmentsMax: Int
    let base: UnsafeMutableRawPointer
    private let descriptor: Int32
    private let allocate: Allocate

    /// Opens the file at `path`, creates it, or sets aside what stands there and creates it.
    init(path: String, segmentsMax: Int, allocate: @escaping Allocate) throws(StoreRefusal) {
        self.path = path
        self.segmentsMax = segmentsMax
        self.allocate = allocate
        (descriptor, setAside) = try Self.openFile(path)
        let reserved = mmap(
            nil, segmentsMax * Self.segmentBytes, PROT_NONE,
            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
        guard let reserved, reserved != Self.failed else {
            Glibc.close(descriptor)
            throw .unsuitable("No addresses for \(path): \(String(cString: strerror(errno))).")
        }
        base = reserved
    }

    deinit {
        munmap(base, segmentsMax * Self.segmentBytes)
        Glibc.close(descriptor)
    }

    // MARK: Segments

    /// Maps a segment of the file, once it has its blocks: a write to a page that finds none on a
    /// full disk would end the process (SIGBUS). False when the disk is full.
    func mapFile(_ segment: Int) -> Bool {
        let offset = Self.headerBytes + segment * Self.segmentBytes
        let before = fileBytes
        guard allocate(descriptor, offset, Self.segmentBytes) == 0 else {
            // Part of it may have been allocated.
            if before < offset + Self.segmentBytes { ftruncate(descriptor, before) }
            return false
        }
        return map(segment, flags: MAP_SHARED, descriptor, offset: offset, PROT_READ | PROT_WRITE)
    }

    /// Maps memory in a segment's place: it counts as well, and a killed process loses it.
    func mapMemory(_ segment: Int) -> Bool {
        map(segment, flags: MAP_PRIVATE | MAP_ANONYMOUS, -1, offset: 0, PROT_READ | PROT_WRITE)
    }

    /// Takes a segment away, whatever was mapped; the addresses stay reserved.
    @discardableResult
    func unmap(_ segment: Int) -> Bool {
        map(segment, flags: MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, offset: 0, PROT_NONE)
    }

    /// Cuts the file off after that many segments.
    func truncate(toSegments count: Int) {
        ftruncate(descriptor, Self.headerBytes + count * Self.segmentBytes)
    }

    /// Pages that were written through the mapping are the file's, and go with it.
    func sync() -> Bool { fdatasync(descriptor) == 0 }

    private func map(
        _ segment: Int, flags: Int32, _ descriptor: Int32, offset: Int, _ protection: Int32
    ) -> Bool {
        let mapped = mmap(
            base + segment * Self.segmentBytes, Self.segmentBytes, protection, flags | MAP_FIXED,
            descriptor, offset)
        return mapped != Self.failed
    }

    private static var failed: UnsafeMutableRawPointer? { UnsafeMutableRawPointer(bitPattern: -1) }

    // MARK: The file

    var fileBytes: Int {
        var about = stat()
        return fstat(descriptor, &about) == 0 ? Int(about.st_size) : 0
    }

    /// A segment's words, read and not mapped: a page that the disk cannot read is an error then,
    /// and not a signal. Nil past the end of the file; a segment that was cut short is past it.
    func read(_ segment: Int) throws(StoreRefusal) -> [UInt64]? {
        var words = [UInt64](repeating: 0, count: Self.segmentBytes / 8)
        let offset = Self.headerBytes + segment * Self.segmentBytes
        let count = words.withUnsafeMutableBytes {
            Self.read(descriptor, into: $0, offset: offset)
        }
        guard count >= 0 else {
            throw .damaged("Cannot read \(path): \(String(cString: strerror(errno))).")
        }
        return count == Self.segmentBytes ? words : nil
    }

    /// Bytes that were read, up to the end of the file; -1 on an error.
    private static func read(
        _ descriptor: Int32, into bytes: UnsafeMutableRawBufferPointer, offset: Int
    ) -> Int {
        var done = 0
        while done < bytes.count, let base = bytes.baseAddress {
            let count = pread(descriptor, base + done, bytes.count - done, offset + done)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { return -1 }
            guard count > 0 else { break }
            done += count
        }
        return done
    }

    /// "GATECNT" and a zero; format version and bytes of a slot; bytes of a segment; checksum.
    static var header: [UInt64] {
        let version: UInt64 = 1
        let header = [
            0x0054_4E43_4554_4147, version << 32 | UInt64(CounterSlot.bytes), UInt64(segmentBytes),
        ]
        return header + [CounterSlot.checksum(of: header)]
    }

    private static func openFile(
        _ path: String
    ) throws(StoreRefusal) -> (descriptor: Int32, setAside: String?) {
        let opened = open(path, O_RDWR | O_CLOEXEC)
        if opened < 0 {
            guard errno == ENOENT else { throw cannotOpen(path) }
            return (try create(path), nil)
        }
        var found = [UInt64](repeating: 0, count: header.count)
        _ = found.withUnsafeMutableBytes { read(opened, into: $0, offset: 0) }
        if found == header {
            fchmod(opened, 0o600)
            return (opened, nil)
        }
        Glibc.close(opened)
        let aside = try setAside(path)
        return (try create(path), aside)
    }

    /// Beside its final name first: a file that has that name has a whole header.
    private static func create(_ path: String) throws(StoreRefusal) -> Int32 {
        let draft = path + ".new"
        let created = open(draft, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard created >= 0 else { throw cannotOpen(draft) }
        let words = header
        let count = words.withUnsafeBytes { pwrite(created, $0.baseAddress, $0.count, 0) }
        guard count == words.count * 8, ftruncate(created, headerBytes) == 0, fsync(created) == 0,
            rename(draft, path) == 0
        else {
            let refusal = cannotOpen(path)
            Glibc.close(created)
            unlink(draft)
            throw refusal
        }
        return created
    }

    private static func setAside(_ path: String) throws(StoreRefusal) -> String {
        // An operator looks long before there are a hundred.
        for number in 1..<100 {
            let aside = "\(path).damaged-\(number)"
            guard access(aside, F_OK) != 0 else { continue }
            guard rename(path, aside) == 0 else { throw cannotOpen(path) }
            return aside
        }
        throw .damaged("\(path) is no counter file, and neither are the 99 set aside before it.")
    }

    private static func cannotOpen(_ path: String) -> StoreRefusal {
        .cannotCreate("Cannot open \(path): \(String(cString: strerror(errno))).")
    }
}
