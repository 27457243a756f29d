import Domain
import Store
import Support
import Testing

@testable import Appliance

@Suite("Mails")
struct MailScenarios {
    private static let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Firefox/145.0"

    /// Nothing runs by itself but what was enqueued.
    private static func quiet(_ configuration: inout Configuration) {
        configuration.jobs.cleanUp = ""
        configuration.limits.checkpointInterval = .seconds(60)
    }

    private static func signIn(
        _ server: TestServer, _ email: String, agent: String
    ) async throws -> Int {
        let body = JSON.object([
            JSON.Member("email", .string(email)),
            JSON.Member("password", .string(TestServer.password)),
        ])
        return try await TestClient(port: server.port).send(
            "POST", "/api/v1/auth/login",
            [("Content-Type", "application/json"), ("User-Agent", agent)],
            Array(body.encoded.utf8)
        ).status
    }

    private static func subjects(_ server: TestServer, _ email: String) async throws -> [String] {
        try await server.mails(to: email).compactMap { mail in
            mail.split(separator: "\r\n").first { $0.hasPrefix("Subject: ") }.map { line in
                String(line.dropFirst("Subject: ".count))
            }
        }
    }

    @Test("a sign-in from another device is told, the first one and a known one are not")
    func newDevice() async throws {
        try await TestServer.run(configure: Self.quiet) { server async throws in
            let email = "ann@example.com"
            _ = try await server.register(email)
            for agent in [Self.firefox, Self.firefox, Self.firefox + " and an update"] {
                #expect(try await Self.signIn(server, email, agent: agent) == 200)
            }
            #expect(try await Self.subjects(server, email) == ["Verify your e-mail address"])
            #expect(try await Self.signIn(server, email, agent: "curl/8.0") == 200)
            let mails = try await server.mails(to: email)
            #expect(mails.count == 2)
            let told = try #require(mails.first { $0.contains("New sign-in") })
            #expect(told.contains("curl") && told.contains("127.0.0.1"))
            #expect(try await Self.signIn(server, email, agent: "curl/9.0") == 200)
            // After 90 days a place is a new one again.
            server.clock.advance(.seconds(91 * 86_400))
            #expect(try await Self.signIn(server, email, agent: "curl/9.0") == 200)
            #expect(try await Self.subjects(server, email).count == 3)
        }
    }

    @Test("a new address is told to the old one")
    func addressChanged() async throws {
        try await TestServer.run(configure: Self.quiet) { server async throws in
            let ann = try await server.person("ann@example.com")
            let answer = try await server.send(
                "PATCH", "/me", ann.token,
                .object([
                    JSON.Member("email", .string("new@example.com")),
                    JSON.Member("current_password", .string(TestServer.password)),
                ]))
            #expect(answer.status == 200)
            let told = try await Self.subjects(server, "ann@example.com")
            #expect(told.contains("Your e-mail address was changed"))
            #expect(
                try await Self.subjects(server, "new@example.com") == ["Verify your e-mail address"]
            )
        }
    }

    @Test("a link lives an hour from when it is sent, however long the mail server was away")
    func lateLink() async throws {
        try await TestServer.run(configure: Self.quiet) { server async throws in
            let ann = try await server.person()
            let appliance = server.appliance
            let began = server.clock.now
            let token = OpaqueToken()
            let about = try Occasion.reset(token: token.secret).json(appliance.seal)
            let email = EmailAddress(canonical: ann.email)
            try await appliance.store.write { db throws(Problem) in
                guard let account = try db.accounts.find(email) else { return }
                try appliance.insertReset(token, of: account, db, at: began)
            }
            server.clock.advance(.seconds(3 * 3600))
            func send() async throws -> JobOutcome {
                var random = SystemRandomNumberGenerator()
                return try await appliance.sendMail(
                    JobRun(
                        id: ID(at: began, using: &random),
                        payload: MailOrder(to: email, about: about), createdAt: began, attempt: 9,
                        now: server.clock.now))
            }
            let before = try await server.mails(to: ann.email).count
            #expect(try await send() == .done)
            #expect(try await server.mails(to: ann.email).count == before + 1)
            server.clock.advance(.seconds(3599))
            let answer = try await server.post(
                "/auth/reset-password",
                .object([
                    JSON.Member("token", .string(token.secret.text)),
                    JSON.Member("password", .string("another horse battery staple")),
                ]))
            #expect(answer.status == 204)
            // Used: a second mail with it would be of no use to anybody.
            let after = try await server.mails(to: ann.email).count
            #expect(try await send() == .done)
            #expect(try await server.mails(to: ann.email).count == after)
        }
    }
}
