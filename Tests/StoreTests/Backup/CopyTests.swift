import Domain
import Support
import Synchronization
import Testing

@testable import Store

/// What writers have committed, until they are told to stop.
private final class Written: Sendable {
    private let state = Mutex((names: [String](), isStopped: false))

    var names: [String] { state.withLock { $0.names } }

    func stop() { state.withLock { $0.isStopped = true } }

    func write(to store: SQLiteStore, as writer: Int) async throws {
        for number in 0..<100_000 {
            if state.withLock({ $0.isStopped }) { return }
            let name = "w\(writer)-\(number)"
            try await store.write { db throws(Problem) in try db.installation.set(name, "x") }
            state.withLock { $0.names.append(name) }
        }
    }
}

@Suite("Copying a store")
struct CopyTests {
    @Test("A copy made while many write has all that was committed before, and is whole")
    func whileWriting() async throws {
        try await withSQLiteStore { store, path in
            let copy = path + ".copy"
            try await fill(store, rows: 2000)
            let written = Written()
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                for writer in 0..<8 {
                    tasks.addTask { try await written.write(to: store, as: writer) }
                }
                while written.names.count < 100 { await Task.yield() }
                let committed = written.names
                try SQLiteCopy.prepare(copy)
                try await store.copy(to: copy)
                written.stop()
                let facts = try SQLiteCopy.settle(copy)
                let rows = facts.tables.first { $0.name == "installation" }?.rows ?? 0
                #expect(rows >= committed.count + 2000)
                #expect(try Self.names(in: copy).isSuperset(of: committed))
                try await tasks.waitForAll()
            }
            _ = try SQLiteCopy.check(copy, thoroughly: true)
            #expect(TestFile(path: copy).mode == 0o600)
        }
    }

    /// Wide rows, so that the copy takes many steps.
    private func fill(_ store: SQLiteStore, rows: Int) async throws {
        let text = String(repeating: "x", count: 2000)
        try await store.write { db throws(Problem) in
            for row in 0..<rows { try db.installation.set("fill-\(row)", text) }
        }
    }

    private static func names(in path: String) throws -> Set<String> {
        let connection = try SQLiteFile.openReader(path)
        return Set(
            try connection.rows("SELECT name FROM installation") { row throws(Problem) in
                try row.text()
            })
    }

    @Test("A copy that its store does not outlive fails, and a later one is refused")
    func closing() async throws {
        let file = try StoreFile()
        let store = try SQLiteStore(file: file.path)
        try await fill(store, rows: 2000)
        let copy = file.path + ".copy"
        try SQLiteCopy.prepare(copy)
        store.close()
        await #expect(throws: Problem.self) { try await store.copy(to: copy) }
    }

    @Test("A copy that cannot be written fails, and disturbs no writer")
    func unwritable() async throws {
        try await withSQLiteStore { store, path in
            await #expect(throws: Problem.self) { try await store.copy(to: path + "-no/copy") }
            try await fill(store, rows: 3)
            #expect(try await store.count("SELECT count(*) FROM installation") == 3)
        }
    }

    @Test("A stopped store is copied with its log and the counter file, and neither is changed")
    func stopped() async throws {
        let file = try StoreFile()
        let store = try SQLiteStore(file: file.path)
        let key = UsageDelta.Key.sample(1)
        try await store.insertUser(key.user)
        store.close()
        let counters = file.folder.path + "/counters"
        try leaveCounts(of: key, in: counters)
        let before = try TestFile(path: counters).bytes()

        let stopped = try StoppedStore(file: file.path)
        #expect(file.refusal() != nil)
        for name in ["one", "two"] {
            let copy = "\(file.folder.path)/\(name)"
            try SQLiteCopy.prepare(copy)
            try stopped.copy(to: copy)
            _ = try SQLiteCopy.settle(copy, counters: counters)
            let reader = try SQLiteFile.openReader(copy)
            #expect(try reader.text("SELECT max(value) FROM usage_counters") == "7")
            #expect(try reader.text("PRAGMA journal_mode") == "delete")
        }
        stopped.close()
        #expect(try TestFile(path: counters).bytes() == before)
        #expect(file.refusal() == nil)
    }

    /// As a process that was killed before it folded.
    private func leaveCounts(of key: UsageDelta.Key, in path: String) throws {
        let counters = try CounterFile(path: path)
        counters.reset(openingBatch: 1)
        let place = try #require(counters.open(key))
        #expect(counters.add(7, to: place))
    }

    @Test("A stopped store is refused while a daemon holds it, and where there is none")
    func refused() async throws {
        try await withSQLiteStore { _, path in
            #expect(throws: StoreRefusal.self) { try StoppedStore(file: path) }
            #expect(throws: StoreRefusal.self) { try StoppedStore(file: path + "-no") }
        }
    }

    @Test("A copy whose rows refer to rows that are gone is damage")
    func orphans() throws {
        let file = try StoreFile()
        try file.create()
        try file.run(
            "PRAGMA foreign_keys = OFF",
            """
            INSERT INTO items (id, user_id, name, data_json, created_at, updated_at)
            VALUES ('a', 'nobody', 'a', '1', 1, 1)
            """)
        #expect(throws: StoreRefusal.self) { try SQLiteCopy.settle(file.path) }
    }
}
