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
