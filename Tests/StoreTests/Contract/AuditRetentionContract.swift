import Domain
import Store
import Testing

@Suite("The audit log's retention")
struct AuditRetentionContract {
    private static func walk(_ db: any Database) async throws -> AuditWalk {
        try await db.read { db throws(Problem) in
            var walk = AuditWalk()
            while !walk.isOver { try walk.step(db) }
            return walk
        }
    }

    /// Removes rows older than the sample's second `number`.
    private static func prune(
        _ db: any Database, before number: Int64, atMost most: Int = 99
    ) async throws -> Int {
        let start = Sample().now
        return try await db.write { db throws(Problem) in
            try db.audit.prune(
                before: start + .seconds(number), atMost: most, at: start + .seconds(100))
        }
    }

    @Test("Old rows go in parts, each leaves a row that says so, and the chain of the rest holds")
    func prune() async throws {
        try await withStore { db in
            _ = try await AuditChain(in: db)
            #expect(try await Self.prune(db, before: 6, atMost: 3) == 3)
            #expect(try await Self.walk(db).prunedThrough == 3)
            #expect(try await Self.prune(db, before: 6, atMost: 3) == 2)
            #expect(try await Self.prune(db, before: 6, atMost: 3) == 0)
            let walk = try await Self.walk(db)
            #expect(walk.broken == nil)
            // Five of the ten, and the two that tell of the others.
            #expect(walk.rows == 7 && walk.prunedThrough == 5)
            let rows = try await db.numbers("SELECT sequence FROM audit_logs ORDER BY sequence")
            #expect(rows == [6, 7, 8, 9, 10, 11, 12])
            let told = try await db.read { db throws(Problem) in
                try db.audit.list(.init(), before: nil, limit: 1)[0]
            }
            #expect(told.action == "audit.pruned" && told.actor == "system")
            #expect(told.meta["through"] == .integer(5) && told.meta["rows"] == .integer(2))
        }
    }

    @Test("What told of an earlier removal may go too, once another one has taken its place")
    func again() async throws {
        try await withStore { db in
            _ = try await AuditChain(in: db)
            #expect(try await Self.prune(db, before: 11) == 10)
            let left = try await db.numbers("SELECT sequence FROM audit_logs")
            #expect(left == [11], "the numbers go on where none of the old rows is left")
            #expect(try await Self.prune(db, before: 101) == 1)
            let walk = try await Self.walk(db)
            #expect(walk.broken == nil && walk.rows == 1 && walk.prunedThrough == 11)
        }
    }

    @Test("Rows that were removed without it are missed")
    func removed() async throws {
        try await withStore { db in
            _ = try await AuditChain(in: db)
            _ = try await Self.prune(db, before: 4)
            try await db.execute("DELETE FROM audit_logs WHERE sequence = 4")
            let walk = try await Self.walk(db)
            #expect(walk.broken?.sequence == 5 && walk.rows == 0)
        }
    }

    @Test("A row that was put in where others had gone is found")
    func putIn() async throws {
        try await withStore { db in
            _ = try await AuditChain(in: db)
            _ = try await Self.prune(db, before: 4)
            try await db.execute(
                """
                INSERT INTO audit_logs SELECT 2, 'forged', at, action, actor, target, meta_json,
                    request_id, ip, ip_salt, ip_digest, previous_hash, hash
                FROM audit_logs WHERE sequence = 4
                """)
            let walk = try await Self.walk(db)
            #expect(walk.broken == AuditWalk.Broken(sequence: 2, id: "forged"))
        }
    }

    @Test(
        "The row that tells where the chain begins is in the chain itself",
        arguments: [("through\":3", "through\":4"), ("hash\":\"", "hash\":\"00")])
    func anchor(part: String, spoilt: String) async throws {
        try await withStore { db in
            _ = try await AuditChain(in: db)
            _ = try await Self.prune(db, before: 4)
            try await db.execute(
                """
                UPDATE audit_logs SET meta_json = replace(meta_json, \(part), \(spoilt))
                WHERE action = 'audit.pruned'
                """)
            #expect(try await Self.walk(db).broken != nil)
        }
    }

    @Test("Rows that were tampered with are kept as the proof of it")
    func tampered() async throws {
        try await withStore { db in
            _ = try await AuditChain(in: db)
            try await db.execute("UPDATE audit_logs SET action = 'x' WHERE sequence = 2")
            let start = Sample().now
            let problem = await db.refusal { db throws(Problem) in
                try db.audit.prune(before: start + .seconds(6), atMost: 99, at: start)
            }
            #expect(problem?.cause?.hasPrefix("audit row 2 ") == true)
            let rows = try await db.count("SELECT count(*) FROM audit_logs")
            #expect(rows == AuditChain.count)
            #expect(try await Self.walk(db).broken?.sequence == 2)
        }
    }
}
