import Domain
import Store
import Testing

@Suite("The audit chain")
struct AuditChainContract {
    @Test(
        "A chain that nobody touched holds, whatever the size of a page", arguments: [1, 3, 10, 99])
    func good(pages: Int) async throws {
        try await withStore { db in
            let chain = try await AuditChain(in: db)
            #expect(try await chain.broken(pages: pages) == nil)
        }
    }

    @Test("An empty log holds")
    func empty() async throws {
        try await withStore { db in
            let (broken, next) = try await db.read { db throws(Problem) in
                let (broken, next) = try db.audit.verify(after: 0, previous: [], count: 9)
                return (broken, next?.sequence)
            }
            #expect(broken == nil && next == nil)
        }
    }

    /// What row 5 can be changed to, column by column: each a value that the column can have.
    private static let changes: [(column: String, value: SQL)] = [
        ("id", "'00000000-0000-7000-8000-000000000000'"), ("at", "at + 1"), ("action", "'a'"),
        ("actor", "'system'"), ("target", "'plan:pro'"), ("meta_json", "'{\"number\":6}'"),
        ("request_id", "'other'"), ("request_id", "NULL"), ("ip", "'192.0.2.6'"), ("ip", "NULL"),
        ("ip_salt", "\([UInt8(0)])"), ("ip_salt", "NULL"), ("ip_digest", "\([UInt8(0)])"),
        ("ip_digest", "NULL"), ("previous_hash", "\([UInt8(0)])"),
        ("previous_hash", "\([UInt8]())"), ("hash", "\([UInt8(0)])"),
    ]

    private static func change(_ column: String, to value: SQL) -> SQL {
        SQL(stringLiteral: "UPDATE audit_logs SET \(column) = ") + value + " WHERE sequence = 5"
    }

    @Test("A change of any column is found in its row", arguments: changes)
    func tampered(column: String, value: SQL) async throws {
        try await withStore { db in
            let chain = try await AuditChain(in: db)
            try await db.execute(Self.change(column, to: value))
            #expect(try await chain.broken() == 5)
        }
    }

    @Test("No column is left out of the test above")
    func complete() throws {
        let row = try #require(GoodRow.all.first { $0.table == "audit_logs" })
        // A row's number is the test of the rows that are moved.
        let columns = Set(Self.changes.map(\.column)).union(["sequence"])
        #expect(columns.isSuperset(of: row.values.map(\.column)))
        #expect(columns.count == 13)
    }

    @Test(
        "A value that cannot be read is found in its row too",
        arguments: [("id", "'nobody'"), ("meta_json", "'{'"), ("meta_json", "''")]
            as [(
                String, SQL
            )])
    func unreadable(column: String, value: SQL) async throws {
        try await withStore { db in
            let chain = try await AuditChain(in: db)
            try await db.execute(Self.change(column, to: value))
            #expect(try await chain.broken() == 5)
        }
    }

    @Test("A row that is gone is found at the next one", arguments: [Int64(1), 5, 9])
    func gone(sequence: Int64) async throws {
        try await withStore { db in
            let chain = try await AuditChain(in: db)
            try await db.execute("DELETE FROM audit_logs WHERE sequence = \(sequence)")
            #expect(try await chain.broken() == sequence + 1)
        }
    }

    @Test("A row that is gone is found even when the others close up")
    func closedUp() async throws {
        try await withStore { db in
            let chain = try await AuditChain(in: db)
            try await db.execute("DELETE FROM audit_logs WHERE sequence = 5")
            for sequence in 6...10 {
                try await db.execute(
                    "UPDATE audit_logs SET sequence = sequence - 1 WHERE sequence = \(sequence)")
            }
            #expect(try await chain.broken() == 5)
        }
    }

    @Test("Two rows that changed places are found at the first of them")
    func swapped() async throws {
        try await withStore { db in
            let chain = try await AuditChain(in: db)
            for (from, to) in [(4, 99), (7, 4), (99, 7)] {
                try await db.execute(
                    "UPDATE audit_logs SET sequence = \(to) WHERE sequence = \(from)")
            }
            #expect(try await chain.broken() == 4)
        }
    }

    @Test("A row that was put in between is found")
    func forged() async throws {
        try await withStore { db in
            let chain = try await AuditChain(in: db)
            try await db.execute(
                """
                INSERT INTO audit_logs SELECT 11, '00000000-0000-7000-8000-000000000000', at,
                    action, actor, target, meta_json, request_id, ip, ip_salt, ip_digest,
                    previous_hash, hash
                FROM audit_logs WHERE sequence = 10
                """)
            #expect(try await chain.broken() == 11)
        }
    }
}
