import Domain
import Store
import Support
import Testing

@testable import Appliance

@Suite("Backup order")
struct BackupOrderTests {
    private static let now = Timestamp("2026-11-25T15:19:52.308Z") ?? .epoch
    private static let name = "gatehouse-20261125T151952.308Z.ghb"

    private func path(_ target: String?, in folder: TemporaryFolder) throws -> String {
        var configuration = Configuration()
        configuration.dataDirectory = folder.path + "/data"
        return try BackupOrder(target: target, keyFile: nil).path(configuration, at: Self.now)
    }

    @Test("Without a target it goes into the configured folder, which is made for its owner alone")
    func configured() throws {
        let folder = try TemporaryFolder()
        #expect(try path(nil, in: folder) == "\(folder.path)/data/backups/\(Self.name)")
        #expect(SafeFile.isDirectory("\(folder.path)/data/backups"))
    }

    @Test("A folder gets a name that tells the time, and a file is taken as it is")
    func target() throws {
        let folder = try TemporaryFolder()
        #expect(try path(folder.path, in: folder) == "\(folder.path)/\(Self.name)")
        #expect(try path(folder.path + "/", in: folder) == "\(folder.path)/\(Self.name)")
        #expect(try path(folder.path + "/a.ghb", in: folder) == "\(folder.path)/a.ghb")
        #expect(try path("a.ghb", in: folder).hasSuffix("/a.ghb"))
        #expect(try path("a.ghb", in: folder).hasPrefix("/"))
    }

    @Test("It comes through the control socket as it was sent")
    func wire() throws {
        let order = BackupOrder(target: "/a/b", keyFile: "/c")
        let read = BackupOrder(try JSONParser.parse(Array(order.json.encoded.utf8)))
        #expect(read.target == "/a/b")
        #expect(read.keyFile == "/c")
        let empty = BackupOrder(target: nil, keyFile: nil)
        #expect(BackupOrder(empty.json).target == nil)
    }

    @Test("The daemon makes one at a time and leaves nothing beside it")
    func daemon() async throws {
        try await TestServer.run { server in
            let order = BackupOrder(target: nil, keyFile: nil)
            let now = server.clock.now
            let made = try await server.appliance.backUp(order, by: .shell, at: now)
            #expect(try BackupFile.read(made.path, key: nil) == made.manifest)
            #expect(made.json["path"]?.text == made.path)
            #expect(server.appliance.backupRun.begin())
            let second = await #expect(throws: CommandRefusal.self) {
                try await server.appliance.backUp(order, by: .shell, at: now)
            }
            #expect(second?.code == .inUse)
            server.appliance.backupRun.end()
            let names = try FolderListing.files(in: server.folder.path)
            #expect(!names.contains("backup.partial"))
        }
    }
}
