import Glibc
import Support
import Testing

@testable import Store

@Suite("Removing a large file beside others' work")
struct DiskPaceTests {
    private let folder: TemporaryFolder
    private var path: String { folder.path + "/large" }
    private static let bytes = 40 << 20

    init() throws {
        folder = try TemporaryFolder()
        let descriptor = open(folder.path + "/large", O_WRONLY | O_CREAT, 0o600)
        ftruncate(descriptor, off_t(Self.bytes))
        close(descriptor)
    }

    private func size(_ descriptor: Int32) -> Int {
        var about = stat()
        fstat(descriptor, &about)
        return about.st_size
    }

    @Test("It goes bit by bit, and its name at once")
    func alone() throws {
        // A descriptor that neither reads nor writes, through which the shrinking can be seen.
        let watch = open(path, 0o10000000)  // O_PATH
        defer { close(watch) }
        #expect(DiskPace.unlink(path) == 0)
        #expect(!Folder.exists(path))
        #expect(size(watch) > 0 && size(watch) <= 16 << 20)
    }

    @Test("It stays whole for those who read it, and under its other name")
    func others() throws {
        let reader = open(path, O_RDONLY)
        defer { close(reader) }
        #expect(DiskPace.unlink(path) == 0)
        #expect(!Folder.exists(path))
        #expect(size(reader) == Self.bytes)

        let again = folder.path + "/linked"
        let other = folder.path + "/other"
        let descriptor = open(again, O_WRONLY | O_CREAT, 0o600)
        ftruncate(descriptor, off_t(Self.bytes))
        close(descriptor)
        try #require(link(again, other) == 0)
        #expect(DiskPace.unlink(again) == 0)
        var about = stat()
        #expect(stat(other, &about) == 0 && about.st_size == Self.bytes)
    }

    @Test("What is no file goes as it always did, and what is not there says so")
    func unlike() throws {
        let pipe = folder.path + "/pipe"
        mkfifo(pipe, 0o600)
        #expect(DiskPace.unlink(pipe) == 0)
        let pointer = folder.path + "/link"
        symlink(path, pointer)
        #expect(DiskPace.unlink(pointer) == 0)
        #expect(Folder.exists(path))
        #expect(DiskPace.unlink(folder.path + "/none") == -1)
        #expect(errno == ENOENT)
    }
}
