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

    @Test("a quota is told at 80 % and at 100 %, once, and not again after a restart")
    func quota() async throws {
        let folder = try TemporaryFolder()
        let email = "ann@example.com"
        @Sendable func use(
            _ count: Int, _ server: TestServer, _ person: TestServer.Person
        ) async throws {
            for _ in 0..<count { _ = try await server.get("/gate", person.token) }
            try await server.appliance.checkpoint()
        }
        let clock = FakeClock()
        try await TestServer.run(folder: folder, clock: clock, configure: Self.quiet) {
            server async throws in
            let ann = try await server.person(email)
            try await server.subscribe(ann, to: [("requests_per_month", 10)])
            try await use(7, server, ann)
            #expect(try await Self.subjects(server, email).count == 1)
            try await use(1, server, ann)
            try await use(1, server, ann)
            let subjects = try await Self.subjects(server, email)
            #expect(subjects.count == 2)
            #expect(subjects.contains("80 % of your requests for this month used"))
        }
        try await TestServer.run(folder: folder, clock: clock, configure: Self.quiet) {
            server async throws in
            let ann = try TestServer.person(try await server.login(email), email)
            _ = try await server.get("/usage", ann.token)
            try await use(1, server, ann)
            try await use(5, server, ann)
            let subjects = try await Self.subjects(server, email)
            #expect(subjects.count == 3)
            #expect(subjects.contains("All of your requests for this month used"))
            // The next month is another one.
            clock.advance(.seconds(31 * 86_400))
            let again = try TestServer.person(try await server.login(email), email)
            try await use(10, server, again)
            #expect(try await Self.subjects(server, email).count == 4)
        }
    }

    @Test("what a customer's service reports is told too, whatever the plan allows past the limit")
    func overage() async throws {
        try await TestServer.run(configure: Self.quiet) { server async throws in
            let ann = try await server.person()
            let bound = JSON.object([
                JSON.Member("limit", .integer(10)), JSON.Member("overage", .string("allow")),
            ])
            let now = server.clock.now
            var random = SystemRandomNumberGenerator()
            let plan = Plan(
                id: ID(at: now, using: &random), slug: "metered", name: "Metered",
                description: nil,
                limits: try Limits(json: .object([JSON.Member("tokens_per_day", bound)])),
                isSelfService: true, isDefault: false, createdAt: now, updatedAt: now)
            _ = try await server.appliance.store.write { db throws(Problem) in
                try db.plans.insert(plan)
            }
            _ = try await server.post(
                "/subscribe", .object([JSON.Member("plan", .string("metered"))]), ann.token)
            let event = JSON.object([
                JSON.Member("id", .string("e1")), JSON.Member("metric", .string("tokens")),
                JSON.Member("value", .integer(25)),
            ])
            #expect(try await server.post("/usage/events", event, ann.token).status == 200)
            try await server.appliance.checkpoint()
            let mails = try await server.mails(to: ann.email)
            let mail = try #require(mails.first { $0.contains("All of your tokens for today") })
            #expect(mail.contains("counted as overage"))
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
