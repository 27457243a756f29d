import Domain
import Store
import Support
import Testing

@testable import Appliance

@Suite("Backups by the clock")
struct BackupScenarios {
    private static func actions(_ server: TestServer) async throws -> [String] {
        try await server.appliance.store.read { db throws(Problem) in
            try db.audit.list(AuditLog.Filter(), before: nil, limit: 200)
        }.map { "\($0.action) \($0.actor)" }.filter { $0.hasPrefix("backup.") }
    }

    private static func daily(_ count: Int) -> BackupRetention {
        BackupRetention(daily: count, weekly: 0, monthly: 0)
    }

    private static func run(
        _ configure: (inout Configuration.Backup) -> Void,
        body: @Sendable @escaping (TestServer) async throws -> Void
    ) async throws {
        var backup = Configuration.Backup()
        configure(&backup)
        let configured = backup
        try await TestServer.run(configure: { $0.backup = configured }, body)
    }

    private static func names(_ server: TestServer) -> [String] {
        server.appliance.backupFolder.names()
    }

    private static func advanceToNight(_ server: TestServer, nights: Int = 1) {
        server.clock.advance(.seconds(Int64(nights) * 86_400))
    }

    @Test("Each night has one backup, however often it is asked for; a new store waits for it")
    func nightly() async throws {
        try await TestServer.run { server async throws in
            let appliance = server.appliance
            #expect(try await appliance.scheduledBackup(at: server.clock.now) == nil)
            #expect(Self.names(server).isEmpty)
            for night in 1...3 {
                Self.advanceToNight(server)
                let made = try #require(try await appliance.scheduledBackup(at: server.clock.now))
                #expect(made.manifest.createdAt == server.clock.now)
                #expect(try await appliance.scheduledBackup(at: server.clock.now) == nil)
                #expect(Self.names(server).count == night)
            }
            // Days without the daemon: one is made for all of them.
            Self.advanceToNight(server, nights: 5)
            #expect(try await appliance.scheduledBackup(at: server.clock.now) != nil)
            #expect(try await appliance.scheduledBackup(at: server.clock.now) == nil)
            let made = try await Self.actions(server)
            #expect(made == Array(repeating: "backup.made system", count: 4))
        }
    }

    @Test("Without a time none is made, and none is drilled")
    func off() async throws {
        try await Self.run {
            $0.at = nil
            $0.drillAt = nil
        } body: { server async throws in
            for _ in 0..<3 {
                #expect(try await server.appliance.scheduledBackup(at: server.clock.now) == nil)
                #expect(try await server.appliance.scheduledDrill(at: server.clock.now) == nil)
                Self.advanceToNight(server)
            }
        }
    }

    @Test("What is kept no longer goes, with a row for each; nobody else's file does")
    func retention() async throws {
        try await Self.run {
            $0.keep = Self.daily(2)
        } body: { server async throws in
            let appliance = server.appliance
            _ = try await appliance.scheduledBackup(at: server.clock.now)
            Self.advanceToNight(server)
            _ = try await appliance.scheduledBackup(at: server.clock.now)
            let folder = appliance.backupFolder.path
            // Named by somebody, and one of our name that cannot be read.
            let first = try #require(Self.names(server).first)
            let bytes = try SafeFile.read("\(folder)/\(first)", bytesMax: 1 << 24)
            try SafeFile.write(bytes, to: "\(folder)/before-the-move.ghb")
            let cut = "gatehouse-20200101T000000.000Z.ghb"
            try SafeFile.write(Array(bytes.dropLast()), to: "\(folder)/\(cut)")
            for _ in 0..<3 {
                Self.advanceToNight(server)
                _ = try await appliance.scheduledBackup(at: server.clock.now)
            }
            let names = Self.names(server)
            #expect(names.count == 4)
            #expect(names.contains("before-the-move.ghb") && names.contains(cut))
            #expect(!names.contains(first))
            let deleted = try await Self.actions(server).filter { $0 == "backup.deleted system" }
            #expect(deleted.count == 2)
            #expect(try await appliance.applyRetention(at: server.clock.now).isEmpty)
        }
    }

    @Test("A drill restores the newest once a night and keeps what became of it")
    func drill() async throws {
        try await TestServer.run { server async throws in
            let appliance = server.appliance
            #expect(try await appliance.scheduledBackup(at: server.clock.now) == nil)
            #expect(try await appliance.scheduledDrill(at: server.clock.now) == nil)
            Self.advanceToNight(server)
            let made = try #require(try await appliance.scheduledBackup(at: server.clock.now))
            server.clock.advance(.seconds(3600))
            let result = try #require(try await appliance.scheduledDrill(at: server.clock.now))
            #expect(result.failure == nil)
            #expect(result.name == made.name)
            #expect(result.age == .seconds(3600))
            #expect(try await appliance.scheduledDrill(at: server.clock.now) == nil)
            #expect(try await appliance.drills() == [result])
            let left = try FolderListing.files(in: server.folder.path)
            #expect(!left.contains { $0.hasPrefix("drill") })
        }
    }

    @Test("A backup that a drill refuses is told so, and is neither deleted nor counted")
    func damaged() async throws {
        try await Self.run {
            $0.keep = Self.daily(1)
        } body: { server async throws in
            let appliance = server.appliance
            _ = try await appliance.scheduledBackup(at: server.clock.now)
            _ = try await appliance.scheduledDrill(at: server.clock.now)
            Self.advanceToNight(server)
            let good = try #require(try await appliance.scheduledBackup(at: server.clock.now))
            Self.advanceToNight(server)
            let order = BackupOrder()
            let bad = try await appliance.backUp(order, by: .shell, at: server.clock.now)
            // Its head still reads: only a drill can tell.
            var bytes = try SafeFile.read(bad.path, bytesMax: 1 << 24)
            bytes[bytes.count - 100] ^= 1
            try SafeFile.write(bytes, to: bad.path)
            let result = try #require(try await appliance.scheduledDrill(at: server.clock.now))
            #expect(result.name == bad.name)
            #expect(result.failure?.contains("damaged") == true)
            #expect(try await appliance.applyRetention(at: server.clock.now).isEmpty)
            #expect(Self.names(server) == [bad.name, good.name])
        }
    }

    @Test("A month of drills is kept, the newest first")
    func log() async throws {
        try await TestServer.run { server async throws in
            let results = (0..<40).map {
                DrillResult(
                    at: server.clock.now + .seconds($0), name: "\($0).ghb",
                    failure: $0 == 39 ? "no" : nil, took: .milliseconds(5), age: .seconds(6))
            }
            try await server.appliance.store.write { db throws(Problem) in
                for result in results { try DrillLog.add(result, db) }
            }
            #expect(try await server.appliance.drills() == Array(results.suffix(30).reversed()))
        }
    }
}
