import Domain
import Glibc
import Testing

@testable import Store

@Suite("Files that are not opened")
struct RefusalTests {
    @Test("A second opener is refused and told the process that has the store")
    func inUse() async throws {
        try await withSQLiteStore { store, path in
            #expect {
                try SQLiteStore(file: path).close()
            } throws: { error in
                guard case .inUse(let text)? = error as? StoreRefusal else { return false }
                return text.contains(path) && text.hasSuffix("by process \(getpid()).")
            }
            // The refused opener has not let the lock go, nor harmed the one who holds it.
            #expect(throws: StoreRefusal.self) { try SQLiteStore(file: path).close() }
            try await store.execute("INSERT INTO installation VALUES ('a', '1')")
        }
    }

    @Test("Closing frees the store for the next")
    func freed() throws {
        let place = try StoreFile()
        for _ in 0..<3 { #expect(place.refusal() == nil) }
    }

    private enum Stranger: String, CaseIterable, Sendable {
        case otherProgram, unmarked, otherProgramWithLog, text, short, noise

        func make(at place: StoreFile) throws {
            switch self {
            case .otherProgram:
                try place.run("CREATE TABLE a (b)", "PRAGMA application_id = 1234")
            case .unmarked:
                try place.run("CREATE TABLE a (b)")
            case .otherProgramWithLog:
                try place.run("PRAGMA journal_mode = WAL", "CREATE TABLE a (b)")
            case .text:
                try place.file.append(String(repeating: "Not a database. ", count: 1000))
            case .short:
                try place.file.append("key: value\n")
            case .noise:
                var sample = Sample(seed: 7)
                try place.file.append(sample.bytes(8192))
            }
        }
    }

    @Test(
        "A file of another program is refused and left byte for byte", arguments: Stranger.allCases)
    private func stranger(_ stranger: Stranger) throws {
        let place = try StoreFile()
        try stranger.make(at: place)
        let before = try place.file.bytes()
        for migrates in [true, false] {
            guard case .damaged(let text)? = place.refusal(migrates: migrates) else {
                Issue.record("\(stranger) was not refused as damaged")
                continue
            }
            #expect(text.contains(place.path))
            #expect(try place.file.bytes() == before)
        }
        #expect(throws: StoreRefusal.self) { try SQLiteInspection(file: place.path) }
        #expect(try place.file.bytes() == before)
    }

    @Test("A store with a newer schema is refused and left alone")
    func newer() throws {
        let place = try StoreFile()
        try place.create()
        try place.run("PRAGMA user_version = \(SQLiteSchema.current + 1)")
        let before = try place.file.bytes()
        guard case .newerSchema(let text)? = place.refusal() else {
            Issue.record("not refused as newer")
            return
        }
        #expect(text.contains("version \(SQLiteSchema.current + 1)"))
        guard case .newerSchema? = place.refusal(migrates: false) else {
            Issue.record("not refused as newer")
            return
        }
        #expect(try place.file.bytes() == before)
    }

    @Test(
        "Without leave to migrate an older schema is refused and stays as it is",
        arguments: 0..<SQLiteSchema.current)
    func older(version: Int) throws {
        let place = try StoreFile()
        if version > 0 { try place.create(version: version) }
        let tables: SQL = "SELECT count(*) FROM sqlite_schema"
        let before = version > 0 ? try SQLiteFile.openReader(place.path).count(tables) : 0
        #expect(
            place.refusal(migrates: false)
                == .unsuitable("The schema is at version \(version). Run: gatehouse migrate"))
        let reader = try SQLiteFile.openReader(place.path)
        #expect(try reader.count(tables) == before)
        #expect(try reader.text("PRAGMA user_version") == "\(version)")
    }

    @Test("Without leave to migrate the right schema is opened")
    func right() throws {
        let place = try StoreFile()
        try place.create()
        #expect(place.refusal(migrates: false) == nil)
    }

    @Test("A schema version below zero is damage, not a crash")
    func negative() async throws {
        let place = try StoreFile()
        try place.create()
        try place.run("PRAGMA user_version = -1")
        let path = place.path
        await #expect(processExitsWith: .success) { [path = path as String] in
            #expect(throws: StoreRefusal.self) { try SQLiteStore(file: path).close() }
        }
        withExtendedLifetime(place) {}
    }

    @Test("A folder that is not there is no place for a store")
    func noFolder() throws {
        let place = try StoreFile()
        #expect {
            try SQLiteStore(file: "\(place.folder.path)/none/gatehouse.db").close()
        } throws: { error in
            guard case .cannotCreate? = error as? StoreRefusal else { return false }
            return true
        }
    }

    @Test("The store, its log, its index and its lock are for their owner alone: 0600")
    func modes() async throws {
        try await withSQLiteStore { store, path in
            try await store.execute("INSERT INTO installation VALUES ('a', '1')")
            for suffix in ["", "-wal", "-shm", ".lock"] {
                #expect(TestFile(path: path + suffix).mode == 0o600, "\(suffix)")
            }
        }
    }

    @Test("The lock file names the process that has the store")
    func lockNames() async throws {
        try await withSQLiteStore { _, path in
            let named = try TestFile(path: path + ".lock").lines()
            #expect(named == ["\(getpid())"])
        }
    }

    @Test("A damaged page is told by the inspection")
    func damaged() async throws {
        let place = try StoreFile()
        let store = try SQLiteStore(file: place.path)
        for number in 0..<200 {
            try await store.write { db throws(Problem) in
                try db.installation.set("\(number)", String(repeating: "x", count: 500))
            }
        }
        store.close()
        let sound = try SQLiteInspection(file: place.path)
        #expect(try sound.damage().isEmpty)
        let size = try #require(place.file.size)
        try place.file.overwrite([UInt8](repeating: 0xA5, count: 4096), at: size - 4096)
        let broken = try SQLiteInspection(file: place.path)
        let said = try broken.damage()
        #expect(!said.isEmpty && said != ["ok"])
    }

    @Test("An orphan is told by the inspection")
    func orphan() throws {
        let place = try StoreFile()
        try place.create()
        try place.run(
            "PRAGMA foreign_keys = OFF",
            "INSERT INTO items VALUES ('a', 'nobody', 'b', '{}', 1, 1)")
        let inspection = try SQLiteInspection(file: place.path)
        #expect(inspection.schemaVersion == SQLiteSchema.current)
        #expect(try inspection.damage() == ["1 rows refer to rows that are gone"])
    }
}
