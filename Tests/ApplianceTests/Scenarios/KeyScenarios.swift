import Domain
import Support
import Testing

@testable import Appliance

@Suite("API keys over time")
struct KeyScenarios {
    @Test("a key that is revoked while it is rotated and used is dead, whichever came first")
    func revokedWhileRotated() async throws {
        try await TestServer.run { server async throws in
            let ann = try await server.person()
            let overlap = JSON.object([JSON.Member("overlap_seconds", .integer(60))])
            for round in 0..<30 {
                let made = try await server.key(ann).json
                let id = try #require(made["id"]?.text)
                let old = try #require(made["key"]?.text)
                async let rotated = server.post("/api-keys/\(id)/rotate", overlap, ann.token)
                async let revoked = server.send("DELETE", "/api-keys/\(id)", ann.token, nil)
                async let used = server.get("/gate", .key(old))
                #expect(try await revoked.status == 204)
                _ = try await used
                let secrets = [old, try await rotated.json["key"]?.text].compactMap { $0 }
                for secret in secrets {
                    let answer = try await server.get("/gate", .key(secret))
                    #expect(answer.status == 401, "round \(round), of \(secrets.count) secrets")
                }
            }
        }
    }

    @Test("a key that is narrowed while it is first used has lost its scope afterwards")
    func narrowedWhileUsed() async throws {
        try await TestServer.run { server async throws in
            let ann = try await server.person()
            let narrow = JSON.object([JSON.Member("scopes", .array([.string("usage:read")]))])
            for round in 0..<30 {
                let made = try await server.key(ann, ["gate", "usage:read"]).json
                let id = try #require(made["id"]?.text)
                let key = try #require(made["key"]?.text)
                async let used = server.get("/gate", .key(key))
                async let narrowed = server.send("PATCH", "/api-keys/\(id)", ann.token, narrow)
                #expect(try await narrowed.status == 200)
                _ = try await used
                let answer = try await server.get("/gate", .key(key))
                #expect(answer.code == "insufficient_scope", "round \(round)")
                _ = try await server.send("DELETE", "/api-keys/\(id)", ann.token, nil)
            }
        }
    }

    @Test("what was counted of a revoked key is forgotten, once it holds nothing any more")
    func forgotten() async throws {
        try await TestServer.run { server async throws in
            let ann = try await server.person()
            let user = try #require(UserID(ann.id))
            let limits = JSON.object([JSON.Member("requests_per_month", .integer(10))])
            let made = try await server.key(
                ann, ["gate", "reservations"], [JSON.Member("limits", limits)]
            ).json
            let id = try #require(made["id"]?.text)
            let key = try #require(made["key"]?.text)
            let reservation = JSON.object([
                JSON.Member("metric", .string("requests")), JSON.Member("amount", .integer(3)),
                JSON.Member("ttl_seconds", .integer(300)),
            ])
            #expect(try await server.get("/gate", .key(key)).status == 200)
            #expect(try await server.post("/reservations", reservation, .key(key)).status == 201)
            _ = try await server.send("DELETE", "/api-keys/\(id)", ann.token, nil)
            for (wait, count) in [(59, 0), (1, 1), (240, 2)] as [(Int64, Int64)] {
                #expect(try await Self.keysKnown(of: user, server) == 1)
                server.clock.advance(.seconds(wait))
                while try await Self.runs(server) < count {
                    try await Task.sleep(for: .milliseconds(1))
                }
            }
            #expect(try await Self.keysKnown(of: user, server) == 0)
            // The account's own counts are as they were.
            let report = try await server.appliance.gatekeeper.report(user, at: server.clock.now)
            #expect(report.metrics.map(\.used) == [1])
        }
    }

    private static func keysKnown(of user: UserID, _ server: TestServer) async throws -> Int {
        try await server.appliance.gatekeeper.look(user, at: server.clock.now) { customer, _ in
            customer.keys.count
        }
    }

    /// Jobs of forgetting that have ended; nothing announces it.
    private static func runs(_ server: TestServer) async throws -> Int64 {
        try await server.appliance.store.read { db throws(Problem) in
            try db.count(
                "SELECT count(*) FROM jobs WHERE kind = 'forget_key' AND state = 'done'")
        }
    }

    @Test("when a key was used is written down once a minute, however often it was")
    func lastUse() async throws {
        try await TestServer.run { server async throws in
            let ann = try await server.person()
            let made = try await server.key(ann).json
            let id = try #require(made["id"]?.text)
            let key = try #require(made["key"]?.text)
            func lastUse() async throws -> String? {
                for _ in 0..<9 {
                    #expect(try await server.get("/gate", .key(key)).status == 200)
                }
                try await server.appliance.checkpoint()
                return try await server.get("/api-keys/\(id)", ann.token).json["last_used_at"]?.text
            }
            let first = server.clock.now
            #expect(try await lastUse() == "\(first)")
            server.clock.advance(.milliseconds(59_999))
            #expect(try await lastUse() == "\(first)")
            server.clock.advance(.milliseconds(1))
            #expect(try await lastUse() == "\(server.clock.now)")
        }
    }
}
