import Domain
import Store
import Testing

@Suite("Addresses in the audit log")
struct AuditAddressContract {
    private static func erase(_ chain: AuditChain) async throws {
        try await chain.db.write { db throws(Problem) in
            try db.audit.eraseAddresses(of: chain.user)
        }
    }

    @Test("Erasing takes a user's addresses and salts, by actor and by target, and no other's")
    func erases() async throws {
        try await withStore { db in
            let chain = try await AuditChain(in: db)
            try await Self.erase(chain)
            // By actor 1, 3, 5, 7, 9, by target 3, 6, 9; rows 4 and 8 never had one.
            let left = try await db.numbers(
                "SELECT sequence FROM audit_logs WHERE ip IS NOT NULL ORDER BY sequence")
            #expect(left == [2, 10])
            let salted = try await db.numbers(
                "SELECT sequence FROM audit_logs WHERE ip_salt IS NOT NULL ORDER BY sequence")
            #expect(salted == [2, 10])
            #expect(try await db.count("SELECT count(ip_digest) FROM audit_logs") == 8)
            #expect(try await db.count("SELECT count(*) FROM audit_logs") == AuditChain.count)
        }
    }

    @Test("After erasing, the chain still holds and still finds a change")
    func stillHolds() async throws {
        try await withStore { db in
            let chain = try await AuditChain(in: db)
            try await Self.erase(chain)
            #expect(try await chain.broken() == nil)
            try await db.execute("UPDATE audit_logs SET action = 'b' WHERE sequence = 3")
            #expect(try await chain.broken() == 3)
        }
    }

    @Test("The same address has another digest in each row")
    func salted() async throws {
        try await withStore { db in
            try await db.write { db throws(Problem) in
                for _ in 0..<8 {
                    try db.audit.append(
                        AuditEvent(
                            action: "a", actor: .shell, target: "b", address: "192.0.2.1"),
                        at: .epoch)
                }
            }
            #expect(try await db.count("SELECT count(DISTINCT ip_digest) FROM audit_logs") == 8)
            let salts: SQL = "SELECT count(*) FROM audit_logs WHERE length(ip_salt) = 16"
            #expect(try await db.count(salts) == 8)
        }
    }

    @Test(
        "An address that is not the one of its row is found",
        arguments: [
            // Changed or kept, beside a salt that is cleared as if it had been erased.
            "ip = '192.0.2.77', ip_salt = NULL",
            "ip_salt = NULL",
            "ip = '192.0.2.77'",
            "ip = NULL",
        ] as [SQL])
    func foreign(change: SQL) async throws {
        try await withStore { db in
            let chain = try await AuditChain(in: db)
            try await db.execute("UPDATE audit_logs SET \(change) WHERE sequence = 5")
            #expect(try await chain.broken() == 5)
        }
    }

    @Test(
        "An address or a salt put into a row that had none is found",
        arguments: [
            "ip = '192.0.2.77'", "ip = '192.0.2.77', ip_salt = \([UInt8(0)])",
            "ip_salt = \([UInt8(0)])",
        ] as [SQL])
    func invented(change: SQL) async throws {
        try await withStore { db in
            let chain = try await AuditChain(in: db)
            try await db.execute("UPDATE audit_logs SET \(change) WHERE sequence = 4")
            #expect(try await chain.broken() == 4)
        }
    }

    @Test("An address put back into a row that was erased is found")
    func putBack() async throws {
        try await withStore { db in
            let chain = try await AuditChain(in: db)
            try await Self.erase(chain)
            try await db.execute("UPDATE audit_logs SET ip = '192.0.2.77' WHERE sequence = 5")
            #expect(try await chain.broken() == 5)
        }
    }
}
