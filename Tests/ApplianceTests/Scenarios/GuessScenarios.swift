import Domain
import Store
import Support
import Testing

@testable import Appliance

@Suite("Guesses at a password")
struct GuessScenarios {
    private static let wrong = "not the password at all"

    /// Guesses as fast as it is let until it has been wrong that often.
    private static func fail(
        _ server: TestServer, _ email: String, times: Int
    ) async throws {
        var failures = 0
        while failures < times {
            let answer = try await server.login(email, password: wrong)
            if answer.status == 401 {
                failures += 1
            } else {
                server.clock.advance(.seconds(try #require(answer.retryAfter)))
            }
        }
    }

    @Test("the waits between guesses grow to a quarter of an hour")
    func waitsGrow() async throws {
        try await TestServer.run { server async throws in
            for failures in [10, 1, 1, 1, 1, 1] {
                try await Self.fail(server, "nobody@example.com", times: failures)
            }
            let refused = try await server.login("nobody@example.com", password: Self.wrong)
            #expect(refused.code == "rate_limited")
            #expect(refused.retryAfter == 900)
        }
    }

    @Test("after a hundred wrong passwords only a reset helps, and it does")
    func hundred() async throws {
        try await TestServer.run { server async throws in
            let ann = "ann@example.com"
            _ = try await server.register(ann)
            try await Self.fail(server, ann, times: 100)
            server.clock.advance(.seconds(86_400))
            #expect(try await server.login(ann).status == 429)
            let body = JSON.object([JSON.Member("email", .string(ann))])
            #expect(try await server.post("/auth/forgot-password", body).status == 202)
            let token = try await server.mailedToken(to: ann, page: "reset-password")
            let reset = JSON.object([
                JSON.Member("token", .string(token)),
                JSON.Member("password", .string("another horse battery staple")),
            ])
            #expect(try await server.post("/auth/reset-password", reset).status == 204)
            let login = try await server.login(ann, password: "another horse battery staple")
            #expect(login.status == 200)
        }
    }

    /// A daemon that stops after a run of 12.
    private static func leaveRun(in folder: TemporaryFolder, _ clock: FakeClock) async throws {
        try await TestServer.run(folder: folder, clock: clock) { server async throws in
            try await fail(server, "nobody@example.com", times: 12)
        }
    }

    @Test("a run of wrong passwords outlives a restart")
    func outlivesRestart() async throws {
        let folder = try TemporaryFolder()
        let clock = FakeClock()
        try await Self.leaveRun(in: folder, clock)
        try await TestServer.run(folder: folder, clock: clock) { server async throws in
            let refused = try await server.login("nobody@example.com", password: Self.wrong)
            #expect(refused.retryAfter == 360)
        }
    }

    @Test("a run of wrong passwords is not forgotten, however long ago and whatever restarts")
    func outlivesCleanUp() async throws {
        let folder = try TemporaryFolder()
        let clock = FakeClock()
        try await Self.leaveRun(in: folder, clock)
        for _ in 0..<2 {
            clock.advance(.seconds(40 * 86_400))
            try await TestServer.run(folder: folder, clock: clock) { server async throws in
                try await server.appliance.cleanUp(at: clock.now)
            }
        }
        try await TestServer.run(folder: folder, clock: clock) { server async throws in
            let next = try await server.login("nobody@example.com", password: Self.wrong)
            #expect(next.status == 401)
            let refused = try await server.login("nobody@example.com", password: Self.wrong)
            #expect(refused.retryAfter == 720)
        }
    }

    @Test("a run that ended in a success goes with the next clean-ups")
    func forgivenGoes() async throws {
        let folder = try TemporaryFolder()
        let clock = FakeClock()
        let runs: SQL = "SELECT count(*) FROM rate_states WHERE subject = 'guesses'"
        @Sendable func count(_ server: TestServer) async throws -> Int64 {
            try await server.appliance.store.read { db throws(Problem) in try db.count(runs) }
        }
        try await TestServer.run(folder: folder, clock: clock) { server async throws in
            _ = try await server.register("ann@example.com")
            try await Self.fail(server, "ann@example.com", times: 3)
            #expect(try await server.login("ann@example.com").status == 200)
        }
        try await TestServer.run(folder: folder, clock: clock) { server async throws in
            #expect(try await count(server) == 1)
            clock.advance(.seconds(2 * 86_400))
            try await server.appliance.cleanUp(at: clock.now)
            #expect(try await count(server) == 0)
        }
    }

    /// A new password by mail.
    private static func reset(_ server: TestServer, _ email: String) async throws {
        let body = JSON.object([JSON.Member("email", .string(email))])
        #expect(try await server.post("/auth/forgot-password", body).status == 202)
        let token = try await server.mailedToken(to: email, page: "reset-password")
        let new = JSON.object([
            JSON.Member("token", .string(token)),
            JSON.Member("password", .string("another horse battery staple")),
        ])
        #expect(try await server.post("/auth/reset-password", new).status == 204)
    }

    @Test("a reset opens the account also where its owner signed in from before")
    func resetAtKnownAddress() async throws {
        try await TestServer.run { server async throws in
            let ann = try await server.person()
            try await Self.fail(server, ann.email, times: 10)
            #expect(try await server.login(ann.email).status == 429)
            try await Self.reset(server, ann.email)
            let login = try await server.login(
                ann.email, password: "another horse battery staple")
            #expect(login.status == 200)
        }
    }

    @Test("a reset ends a run of wrong current passwords too")
    func resetForgivesCurrentPassword() async throws {
        try await TestServer.run { server async throws in
            let thief = try await server.person()
            for _ in 0..<100 {
                try await server.appliance.throttle.take(
                    Throttle.Guess.password, thief.id, at: server.clock.now)
                server.clock.advance(.seconds(900))
            }
            try await Self.reset(server, thief.email)
            let new = "another horse battery staple"
            let owner = try TestServer.person(
                try await server.login(thief.email, password: new), thief.email)
            let change = JSON.object([
                JSON.Member("current_password", .string(new)),
                JSON.Member("new_password", .string("one more horse battery staple")),
            ])
            let answer = try await server.post("/me/password", change, owner.token)
            #expect(answer.status == 204, "\(answer.text)")
        }
    }
}
