import Domain
import Glibc
import Support
import Testing

@testable import Store

@Suite("kill -9", .serialized)
struct KillTests {
    private struct Crash: Sendable, Codable, CustomTestStringConvertible {
        let seed: UInt64
        let spins: Bool

        var testDescription: String { "seed \(seed), \(spins ? "anywhere" : "after an answer")" }
    }

    private static let crashes = (1...8).map { Crash(seed: $0, spins: $0.isMultiple(of: 2)) }

    @Test("Every row that was acknowledged before a crash is there after it", arguments: crashes)
    private func acknowledged(crash: Crash) async throws {
        let folder = try TemporaryFolder()
        let path = folder.path
        var random = SplitMix64(seed: crash.seed)
        let limit = Int(random.int(300...2000))
        await #expect(processExitsWith: .signal(SIGKILL), "seed \(crash.seed)") {
            [path = path as String, limit = limit as Int, crash = crash as Crash] in
            let load = try CrashLoad(folder: path)
            try await load.run(seed: crash.seed, acknowledged: limit, spins: crash.spins)
        }
        let comment: Comment = "seed \(crash.seed)"
        let acknowledged = try CrashLoad.notes(in: path).lines()
        #expect(acknowledged.count >= limit - CrashLoad.writers * 2, comment)
        #expect(TestFile(path: CrashLoad.file(in: path) + "-wal").size ?? 0 > 0, comment)

        let store = try SQLiteStore(file: CrashLoad.file(in: path))
        defer { store.close() }
        let kept = Set(try await store.texts("SELECT id FROM users"))
        #expect(kept.isSuperset(of: acknowledged), comment)
        // What was on its way: at most one row of each writer.
        #expect(kept.count <= acknowledged.count + CrashLoad.writers, comment)
        #expect(try await store.texts("SELECT * FROM pragma_integrity_check") == ["ok"], comment)
        #expect(try await store.count("SELECT count(*) FROM pragma_foreign_key_check") == 0)
        let version = try await store.count("SELECT user_version FROM pragma_user_version")
        #expect(version == Int64(SQLiteSchema.current), comment)
        withExtendedLifetime(folder) {}
    }

    @Test("A unit that was not committed leaves nothing of itself")
    func middleOfUnit() async throws {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/gatehouse.db"
        await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String] in
            let store = try SQLiteStore(file: path)
            try await store.write { db throws(Problem) in
                try db.installation.set("before", "kept")
            }
            try await store.write { db throws(Problem) in
                try db.installation.set("first", "lost")
                try db.installation.set("before", "changed")
                kill(getpid(), SIGKILL)
            }
        }
        let store = try SQLiteStore(file: path)
        defer { store.close() }
        let rows = try await store.texts("SELECT name || ' ' || value FROM installation")
        #expect(rows == ["before kept"])
        withExtendedLifetime(folder) {}
    }

    @Test("The lock dies with its process, whatever id its file still names")
    func lockDies() async throws {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/gatehouse.db"
        await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String] in
            let store = try SQLiteStore(file: path)
            withExtendedLifetime(store) { _ = kill(getpid(), SIGKILL) }
        }
        let named = try TestFile(path: path + ".lock").lines()
        #expect(named.count == 1 && named != ["\(getpid())"])
        let store = try SQLiteStore(file: path)
        store.close()
        withExtendedLifetime(folder) {}
    }

    @Test(
        "Killed in a migration, a store is at the whole version before it",
        arguments: Migration.all.indices)
    func migration(version: Int) async throws {
        let place = try StoreFile()
        try place.create(version: version)
        let tables: SQL = "SELECT count(*) FROM sqlite_schema"
        let before = try SQLiteFile.openReader(place.path).count(tables)
        await #expect(processExitsWith: .signal(SIGKILL)) {
            [path = place.path as String, version = version as Int] in
            let connection = try SQLiteFile.openWriter(path)
            try connection.run("BEGIN IMMEDIATE")
            for statement in Migration.all[version].statements { try connection.run(statement) }
            kill(getpid(), SIGKILL)
        }
        let after = try SQLiteFile.openReader(place.path)
        #expect(try after.count(tables) == before)
        #expect(try after.text("PRAGMA user_version") == "\(version)")
        let store = try SQLiteStore(file: place.path)
        defer { store.close() }
        #expect(try await store.count("SELECT count(*) FROM users") == 0)
        #expect(try await store.count("SELECT count(*) FROM leases") == 0)
        withExtendedLifetime(place) {}
    }
}
