import Domain
import Store
import Testing

/// `changes` as a reader sees it, whoever filled it.
@Suite("Changes")
struct ChangesContract {
    private static func fill(_ db: any Database, _ count: Int64) async throws {
        for seq in 1...count {
            // Numbers have gaps where a transaction was undone.
            try await db.execute(
                "INSERT INTO changes VALUES (\(seq * 2), 'session', \("\(seq)"), \(seq * 1000))")
        }
    }

    private static func reach(_ db: any Database) async throws -> [Int64] {
        let reach = try await db.read { db throws(Problem) in try db.changes.reach() }
        return [reach.last, reach.pruned]
    }

    @Test("They are read from behind the last one, in order, so many at a time")
    func list() async throws {
        try await withStore { db in
            #expect(try await Self.reach(db) == [0, 0])
            try await Self.fill(db, 5)
            #expect(try await Self.reach(db) == [10, 0])
            let found = try await db.read { db throws(Problem) in
                try db.changes.list(after: 4, atMost: 2)
            }
            #expect(found.map(\.seq) == [6, 8])
            #expect(found.map(\.kind) == [.session, .session])
            #expect(found.map(\.subject) == ["3", "4"])
        }
    }

    @Test("One of a newer program's has no kind")
    func unknown() async throws {
        try await withStore { db in
            try await db.execute("INSERT INTO changes VALUES (1, 'weather', 'rain', 1)")
            let found = try await db.read { db throws(Problem) in
                try db.changes.list(after: 0, atMost: 2)
            }
            #expect(found.map(\.kind) == [nil])
        }
    }

    @Test("What was made before a moment is removed, and who has not read it can tell")
    func prune() async throws {
        try await withStore { db in
            try await Self.fill(db, 5)
            func prune(_ seconds: Int64, _ most: Int) async throws -> Int {
                try await db.write { db throws(Problem) in
                    try db.changes.prune(
                        madeBefore: Timestamp(milliseconds: seconds * 1000), atMost: most)
                }
            }
            #expect(try await prune(1, 9) == 0)
            #expect(try await Self.reach(db) == [10, 0])
            #expect(try await prune(5, 3) == 3)
            #expect(try await Self.reach(db) == [10, 6])
            #expect(try await prune(6, 9) == 2)
            #expect(try await Self.reach(db) == [10, 10])
        }
    }
}
