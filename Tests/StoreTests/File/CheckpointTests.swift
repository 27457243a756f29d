import Domain
import Testing

@testable import Store

@Suite("Checkpoints")
struct CheckpointTests {
    /// A page or a little more for each.
    private static let value = String(repeating: "x", count: 4000)

    /// Rows of a page each, in one unit, and a unit after it: the checkpoint after the first has
    /// ended when the second is answered.
    private static func write(_ pages: Int, to store: SQLiteStore) async throws {
        try await store.write { db throws(Problem) in
            for page in 0..<pages { try db.installation.set("\(page)", value) }
        }
        try await store.write { _ in }
    }

    @Test("The writer checkpoints once the log has 1000 pages, and not before")
    func due() async throws {
        try await withSQLiteStore { store, _ in
            try await Self.write(500, to: store)
            #expect(store.writerFigures.checkpoints == 0)
            #expect((500..<1000).contains(store.writerFigures.walPages))
            try await Self.write(1100, to: store)
            #expect(store.writerFigures.checkpoints > 0)
            try await store.execute("INSERT INTO installation VALUES ('last', '')")
            #expect(store.writerFigures.walPages < 10, "the log begins anew")
        }
    }

    @Test("A log that grew behind a long read is cut back once the read has ended")
    func cutBack() async throws {
        try await withSQLiteStore { store, path in
            let log = TestFile(path: path + "-wal")
            let gate = Gate()
            async let read = store.read { db throws(Problem) in
                let before = try db.count("SELECT count(*) FROM installation")
                gate.pass()
                return [before, try db.count("SELECT count(*) FROM installation")]
            }
            await gate.reached()
            try await Self.write(4100, to: store)
            try await store.execute("INSERT INTO installation VALUES ('last', '')")
            #expect(log.size ?? 0 > 4100 * 4096)
            gate.open()
            #expect(try await read == [0, 0], "the read kept its snapshot")
            try await store.write { _ in }
            try await store.write { _ in }
            #expect(log.size == 0)
            #expect(try await store.count("SELECT count(*) FROM installation") == 4101)
        }
    }

    @Test("After a clean close the log is empty, and all is in the file")
    func cleanClose() async throws {
        let place = try StoreFile()
        let store = try SQLiteStore(file: place.path)
        try await store.execute("INSERT INTO installation VALUES ('a', '1')")
        #expect(place.log.size ?? 0 > 0)
        store.close()
        #expect(place.log.size ?? 0 == 0)
        let alone = TestFile(path: "\(place.folder.path)/copy.db")
        try alone.append(place.file.bytes())
        let copy = try SQLiteFile.openReader(alone.path)
        #expect(try copy.count("SELECT count(*) FROM installation") == 1)
    }

    @Test("Readers never checkpoint: the log outlives the last of them")
    func readersLeaveIt() throws {
        let place = try StoreFile()
        do {
            let writer = try SQLiteFile.openWriter(place.path)
            try SQLiteSchema.migrate(writer, from: 0)
            try writer.execute("INSERT INTO installation VALUES ('a', '1')")
        }
        let size = try #require(place.log.size)
        #expect(size > 0, "a connection that closes leaves the checkpoint to the writer")
        let file = try place.file.bytes()
        for _ in 0..<3 {
            let reader = try SQLiteFile.openReader(place.path)
            #expect(try reader.count("SELECT count(*) FROM installation") == 1)
        }
        let inspection = try SQLiteInspection(file: place.path)
        #expect(try inspection.damage().isEmpty)
        #expect(place.log.size == size)
        #expect(try place.file.bytes() == file)
    }

    @Test("A reader that closes beside a writer leaves the log as it is")
    func closingReader() async throws {
        try await withSQLiteStore { store, path in
            let log = TestFile(path: path + "-wal")
            try await store.execute("INSERT INTO installation VALUES ('a', '1')")
            let size = log.size
            do {
                let reader = try SQLiteFile.openReader(path)
                #expect(try reader.count("SELECT count(*) FROM installation") == 1)
            }
            #expect(log.size == size)
            #expect(store.writerFigures.checkpoints == 0)
        }
    }
}
