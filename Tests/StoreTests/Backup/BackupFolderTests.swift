import Domain
import Glibc
import Support
import Testing

@testable import Store

@Suite("A folder of backups")
struct BackupFolderTests {
    @Test("It has the backups in it, the newest first, and nothing that only looks like one")
    func names() throws {
        let backup = try BackupFixture(isEncrypted: false)
        let folder = backup.folder.path
        try Folder.make("\(folder)/d.ghb")
        symlink(backup.path, "\(folder)/link.ghb")
        mkfifo("\(folder)/pipe.ghb", 0o600)
        try TestFile(path: "\(folder)/b.ghb").append("x")
        try TestFile(path: "\(folder)/.hidden.ghb").append("x")
        try TestFile(path: "\(folder)/c.ghb.partial").append("x")
        let listed = BackupFolder(folder)
        #expect(listed.names() == ["b.ghb", "a.ghb"])
        for name in ["link.ghb", "d.ghb", "pipe.ghb", "../a.ghb", "/etc/passwd", "", "keys"] {
            #expect(listed.open(name) == nil, "\(name)")
            #expect(listed.entry(name, key: nil) == nil, "\(name)")
        }
        #expect(BackupFolder(folder + "/none").names().isEmpty)
    }

    @Test("An entry tells what its manifest says, or as much as can be known without its key")
    func entries() throws {
        let plain = try BackupFixture(isEncrypted: false)
        let entry = try #require(BackupFolder(plain.folder.path).entry("a.ghb", key: nil))
        #expect(entry.manifest == plain.manifest)
        #expect(entry.createdAt == BackupFixture.now)
        #expect(entry.isEncrypted == false)
        let length = try plain.bytes().count
        #expect(Int(entry.bytes) == length)

        let sealed = try BackupFixture(isEncrypted: true)
        let folder = BackupFolder(sealed.folder.path)
        #expect(folder.entry("a.ghb", key: sealed.key)?.manifest == sealed.manifest)
        let shut = try #require(folder.entry("a.ghb", key: nil))
        #expect(shut.manifest == nil)
        #expect(shut.isEncrypted == true)
        let tags = [plain, sealed].map { BackupFolder($0.folder.path).open("a.ghb")?.tag }
        #expect(tags[0] != nil && tags[1] != nil && tags[0] != tags[1])
    }

    @Test("One that is cut off has no manifest, and one without a head is told as such")
    func damaged() throws {
        let backup = try BackupFixture(isEncrypted: false)
        let folder = BackupFolder(backup.folder.path)
        let whole = try backup.bytes()
        try TestFile(path: "\(folder.path)/cut.ghb").append(Array(whole.dropLast()))
        try TestFile(path: "\(folder.path)/no.ghb").append("nothing of ours")
        let cut = try #require(folder.entry("cut.ghb", key: nil))
        #expect(cut.manifest == nil)
        #expect(cut.isEncrypted == false)
        #expect(try #require(folder.entry("no.ghb", key: nil)).isEncrypted == nil)
    }

    @Test("A backup that is open is read to its end, whatever becomes of its name")
    func reading() throws {
        let backup = try BackupFixture(isEncrypted: false)
        let whole = try backup.bytes()
        let open = try #require(BackupFolder(backup.folder.path).open("a.ghb"))
        try Folder.remove(backup.path)
        var read: [UInt8] = []
        while let part = open.read(at: Int64(read.count), 1000), !part.isEmpty { read += part }
        #expect(read == whole)
        #expect(Int(open.bytes) == whole.count)
    }
}
