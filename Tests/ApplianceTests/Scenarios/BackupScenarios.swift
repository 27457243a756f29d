import Domain
import Store
import Support
import Testing

@testable import Appliance

@Suite("Backups by the clock", .timeLimit(.minutes(2)))
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

    /// Turns the clock to that time, which it is next, and returns when the runner has done what
    /// came due; nothing announces the end of a job.
    private static func run(_ kind: String, on server: TestServer, at time: String) async throws {
        let at = try #require(TimeOfDay(time))
        server.clock.advance(at.last(before: server.clock.now) + day - server.clock.now)
        try await isDone(kind, on: server)
    }

    private static let day: Duration = .seconds(86_400)

    private static func isDone(_ kind: String, on server: TestServer) async throws {
        while true {
            let entry = try await server.appliance.store.read { db throws(Problem) in
                try db.schedules.list().first { $0.name == kind }
            }
            let schedule = try #require(entry)
            if schedule.nextAt > server.clock.now, schedule.lastState == .done { return }
            try await Task.sleep(for: .milliseconds(2))
        }
    }

    private static func backUp(on server: TestServer) async throws {
        try await Self.run("back_up", on: server, at: "03:00")
    }

    private static func drill(on server: TestServer) async throws {
        try await Self.run("drill", on: server, at: "04:30")
    }

    @Test("Each night has one backup, at its time; a new store waits for it")
    func nightly() async throws {
        try await Self.run { _ in
        } body: { server async throws in
            let appliance = server.appliance
            // Whoever asks besides, and however often: each night has one.
            #expect(try await appliance.scheduledBackup(at: server.clock.now) == nil)
            for night in 1...3 {
                try await Self.backUp(on: server)
                let made = try #require(Self.names(server).first.flatMap { BackupName($0) })
                #expect(made.madeAt == server.clock.now)
                #expect("\(made.madeAt)".hasSuffix("T03:00:00.000Z"))
                #expect(try await appliance.scheduledBackup(at: server.clock.now) == nil)
                #expect(Self.names(server).count == night)
            }
            let made = try await Self.actions(server)
            #expect(made == Array(repeating: "backup.made system", count: 3))
        }
    }

    @Test("Nights without the daemon are made up for once, at its next start")
    func missed() async throws {
        let (folder, clock) = (try TemporaryFolder(), FakeClock())
        func start(_ body: @Sendable @escaping (TestServer) async throws -> Void) async throws {
            try await TestServer.run(
                folder: folder, clock: clock,
                configure: { $0.backup = Configuration.Backup() }, body)
        }
        try await start { server async throws in #expect(Self.names(server).isEmpty) }
        clock.advance(Self.day * 5)
        for _ in 0..<2 {
            try await start { server async throws in
                try await Self.isDone("back_up", on: server)
                try await Self.isDone("drill", on: server)
                let names = Self.names(server)
                #expect(names.compactMap { BackupName($0)?.madeAt } == [clock.now])
            }
        }
    }

    @Test("A night that fails is tried again within the hour, with its line as the error")
    func refused() async throws {
        try await Self.run {
            $0.keyFile = "/nowhere/backup.key"
        } body: { server async throws in
            func job() async throws -> Job? {
                try await server.appliance.store.read { db throws(Problem) in
                    try db.jobs.list(Jobs.Filter(kind: "back_up"), Page(limit: 1)).first
                }
            }
            let at = try #require(TimeOfDay("03:00"))
            server.clock.advance(at.last(before: server.clock.now) + Self.day - server.clock.now)
            for attempt in Int64(1)...3 {
                var found = try await job()
                while found?.state != .queued || found?.attempts != attempt {
                    try await Task.sleep(for: .milliseconds(2))
                    found = try await job()
                }
                let failed = try #require(found)
                #expect(failed.lastError?.contains("/nowhere/backup.key") == true)
                let wait = failed.runAt - server.clock.now
                #expect(wait >= .seconds(900) && wait <= .seconds(3600))
                server.clock.advance(wait)
            }
            #expect(Self.names(server).isEmpty)
        }
    }

    @Test("Without a time none is made, and none is drilled")
    func off() async throws {
        try await Self.run {
            $0.at = nil
            $0.drillAt = nil
        } body: { server async throws in
            let schedules = try await server.appliance.store.read { db throws(Problem) in
                try db.schedules.list().map(\.name)
            }
            #expect(!schedules.contains("back_up") && !schedules.contains("drill"))
            server.clock.advance(Self.day)
            #expect(try await server.appliance.scheduledBackup(at: server.clock.now) == nil)
            #expect(try await server.appliance.scheduledDrill(at: server.clock.now) == nil)
        }
    }

    @Test("What is kept no longer goes, with a row for each; nobody else's file does")
    func retention() async throws {
        try await Self.run {
            $0.keep = Self.daily(2)
        } body: { server async throws in
            let appliance = server.appliance
            try await Self.backUp(on: server)
            let folder = appliance.backupFolder.path
            // Named by somebody, and one of our name that cannot be read.
            let first = try #require(Self.names(server).first)
            let bytes = try SafeFile.read("\(folder)/\(first)", bytesMax: 1 << 24)
            try SafeFile.write(bytes, to: "\(folder)/before-the-move.ghb")
            let cut = "gatehouse-20200101T000000.000Z.ghb"
            try SafeFile.write(Array(bytes.dropLast()), to: "\(folder)/\(cut)")
            for _ in 0..<3 { try await Self.backUp(on: server) }
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
        try await Self.run { _ in
        } body: { server async throws in
            let appliance = server.appliance
            try await Self.backUp(on: server)
            try await Self.drill(on: server)
            let result = try #require(try await appliance.drills().first)
            #expect(result.failure == nil)
            #expect([result.name] == Self.names(server))
            #expect(result.age == .seconds(5400))
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
            try await Self.backUp(on: server)
            let good = try #require(Self.names(server).first)
            server.clock.advance(.seconds(60))
            let bad = try await appliance.backUp(BackupOrder(), by: .shell, at: server.clock.now)
            // Its head still reads: only a drill can tell.
            var bytes = try SafeFile.read(bad.path, bytesMax: 1 << 24)
            bytes[bytes.count - 100] ^= 1
            try SafeFile.write(bytes, to: bad.path)
            try await Self.drill(on: server)
            let result = try #require(try await appliance.drills().first)
            #expect(result.name == bad.name)
            #expect(result.failure?.contains("damaged") == true)
            #expect(try await appliance.applyRetention(at: server.clock.now).isEmpty)
            #expect(Self.names(server) == [bad.name, good])
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
