import Domain
import Store
import Support
import Testing

@testable import Appliance

@Suite("Throttles")
struct ThrottleScenarios {
    private static let wrong = "not the password at all"

    private static func fail(_ server: TestServer, _ email: String, times: Int) async throws {
        for _ in 0..<times {
            #expect(try await server.login(email, password: wrong).status == 401)
        }
    }

    @Test("after ten wrong passwords even the right one waits, and time heals")
    func byAccount() async throws {
        try await TestServer.run { server async throws in
            _ = try await server.register("ann@example.com")
            try await Self.fail(server, "ann@example.com", times: 10)
            let refused = try await server.login("ann@example.com")
            #expect(refused.code == "rate_limited")
            #expect(refused.retryAfter == 90)
            server.clock.advance(.seconds(90))
            #expect(try await server.login("ann@example.com").status == 200)
        }
    }

    @Test("an unknown address is throttled like a known one")
    func unknownAlike() async throws {
        try await TestServer.run { server async throws in
            try await Self.fail(server, "nobody@example.com", times: 10)
            let refused = try await server.login("nobody@example.com", password: Self.wrong)
            #expect(refused.code == "rate_limited")
        }
    }

    @Test("a success forgives the failures before it")
    func forgiven() async throws {
        try await TestServer.run { server async throws in
            _ = try await server.register("ann@example.com")
            for _ in 0..<2 {
                try await Self.fail(server, "ann@example.com", times: 9)
                #expect(try await server.login("ann@example.com").status == 200)
            }
        }
    }

    @Test("strangers' guesses do not lock the owner out at an address they signed in from")
    func ownerGetsIn() async throws {
        let behindProxy = { (configuration: inout Configuration) in
            configuration.server.trustedProxies = [Network("127.0.0.1")].compactMap { $0 }
        }
        try await TestServer.run(configure: behindProxy) { server async throws in
            let client = TestClient(port: server.port)
            func login(_ password: String, from address: String) async throws -> Int {
                let json = JSON.object([
                    JSON.Member("email", .string("ann@example.com")),
                    JSON.Member("password", .string(password)),
                ])
                return try await client.send(
                    "POST", "/api/v1/auth/login",
                    [("Content-Type", "application/json"), ("X-Forwarded-For", address)],
                    Array(json.encoded.utf8)
                ).status
            }
            _ = try await server.register("ann@example.com")
            #expect(try await login(TestServer.password, from: "192.0.2.1") == 200)
            for _ in 0..<10 { #expect(try await login(Self.wrong, from: "203.0.113.9") == 401) }
            #expect(try await login(Self.wrong, from: "203.0.113.9") == 429)
            #expect(try await login(TestServer.password, from: "203.0.113.9") == 429)
            #expect(try await login(TestServer.password, from: "192.0.2.1") == 200)
        }
    }

    @Test("a restart does not forget what was guessed")
    func outlivesRestart() async throws {
        let folder = try TemporaryFolder()
        let clock = FakeClock()
        try await TestServer.run(folder: folder, clock: clock) { server async throws in
            _ = try await server.register("ann@example.com")
            try await Self.fail(server, "ann@example.com", times: 10)
        }
        try await TestServer.run(folder: folder, clock: clock) { server async throws in
            #expect(try await server.login("ann@example.com").code == "rate_limited")
        }
    }

    @Test("mails to one address are few, whoever asks for them")
    func mails() async throws {
        try await TestServer.run { server async throws in
            let body = JSON.object([JSON.Member("email", .string("ann@example.com"))])
            for _ in 0..<5 {
                #expect(try await server.post("/auth/forgot-password", body).status == 202)
            }
            #expect(try await server.post("/auth/forgot-password", body).status == 429)
        }
    }
}
