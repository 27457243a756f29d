import Domain
import Store
import Support
import Testing

@testable import Appliance

@Suite("One-time codes at sign-in")
struct OneTimeCodeScenarios {
    @Test("nothing is asked before the first code, and a code from then on")
    func enrolment() async throws {
        try await TestServer.run { server async throws in
            let ann = try await AppHolder.enrol(server, confirms: false)
            #expect(try await ann.login(nil).status == 200)
            #expect(try await ann.confirm(ann.wrongCode()).code == "invalid_credentials")
            #expect(try await ann.login(nil).status == 200)
            #expect(try await ann.confirm(ann.code()).status == 200)
            let me = try await server.get("/me", ann.person.token)
            #expect(me.json["totp_enabled"] == .bool(true))
            let asked = try await ann.login(nil)
            #expect(asked.status == 401 && asked.code == "otp_required")
            #expect(try await ann.login(ann.wrongCode()).code == "invalid_credentials")
            #expect(try await ann.login("what?").code == "invalid_credentials")
            #expect(try await ann.login(ann.code(1)).status == 200)
            let actions = try await ann.actions()
            for action in [
                "user.totp_begun", "user.totp_enabled", "session.otp_asked", "session.otp_failed",
            ] { #expect(actions.contains(action), "\(action)") }
            #expect(try await ann.confirm(ann.code(1)).code == "conflict")
            let again = try await server.post("/me/totp", .object([]), ann.person.token)
            #expect(again.code == "conflict")
        }
    }

    @Test("a wrong password is told as ever, whatever code comes with it, and uses none up")
    func wrongPassword() async throws {
        try await TestServer.run { server async throws in
            let ann = try await AppHolder.enrol(server)
            let unknown = try await server.login("nobody@example.com")
            for code in [nil, try ann.code(1), ann.recoveryCodes[0]] {
                let refused = try await ann.login(code, password: "not the password at all")
                #expect(refused.status == 401)
                #expect(refused.json["detail"] == unknown.json["detail"])
            }
            #expect(try await ann.login(ann.recoveryCodes[0]).status == 200)
            #expect(try await ann.login(ann.code(1)).status == 200)
        }
    }

    @Test("a code signs in once, also when many show it at once")
    func replay() async throws {
        try await TestServer.run { server async throws in
            let ann = try await AppHolder.enrol(server)
            // The code of the confirmation is used up as well.
            #expect(try await ann.login(ann.code()).status == 401)
            server.clock.advance(.seconds(60))
            let code = try ann.code()
            let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<8 { group.addTask { try await ann.login(code).status } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(statuses.count { $0 == 200 } == 1, "\(statuses)")
            #expect(try await ann.login(ann.code(-1)).status == 401)
            #expect(try await ann.login(ann.code(1)).status == 200)
        }
    }

    @Test("a clock may be one step off and no more")
    func skew() async throws {
        try await TestServer.run { server async throws in
            let ann = try await AppHolder.enrol(server)
            for (steps, status) in [(-2, 401), (2, 401), (-1, 200), (1, 200)] {
                server.clock.advance(.seconds(150))
                #expect(try await ann.login(ann.code(Int64(steps))).status == status, "\(steps)")
            }
        }
    }

    @Test("a recovery code signs in once, however it is typed, and its owner hears of it")
    func recovery() async throws {
        try await TestServer.run { server async throws in
            let ann = try await AppHolder.enrol(server)
            let typed = ann.recoveryCodes[3].lowercased().filter { $0 != "-" }
            #expect(try await ann.login(typed).status == 200)
            #expect(try await ann.login(ann.recoveryCodes[3]).code == "invalid_credentials")
            #expect(try await ann.login(ann.recoveryCodes[4]).status == 200)
            #expect(try await ann.actions().count { $0 == "user.recovery_code_used" } == 2)
            #expect(try await ann.mails(about: "A recovery code was used") == 2)
        }
    }

    @Test("guesses at a code are as few as guesses at a password, also across a restart")
    func guesses() async throws {
        let (folder, clock) = (try TemporaryFolder(), FakeClock())
        try await TestServer.run(folder: folder, clock: clock) { server async throws in
            let ann = try await AppHolder.enrol(server)
            // The guesses come from where the owner never was.
            _ = try await server.appliance.store.write { db throws(Problem) in
                try db.execute(SQL(stringLiteral: Self.elsewhere))
            }
            for _ in 0..<10 { #expect(try await ann.login(ann.wrongCode()).status == 401) }
            #expect(try await ann.login(ann.code(1)).code == "rate_limited")
        }
        try await TestServer.run(folder: folder, clock: clock) { server async throws in
            let guess = JSON.object([
                JSON.Member("email", .string("ann@example.com")),
                JSON.Member("password", .string(TestServer.password)),
                JSON.Member("otp", .string("guess")),
            ])
            var tried = 10
            for _ in 0..<120 {
                let answer = try await server.post("/auth/login", guess)
                if answer.status == 401 { tried += 1 }
                clock.advance(.seconds(900))
            }
            #expect(tried == 100)
        }
    }

    private static let elsewhere = "UPDATE sessions SET ip = '192.0.2.1'"

    @Test("a stranger's guesses do not lock the owner out where the owner was before")
    func knownAddress() async throws {
        try await TestServer.run { server async throws in
            let ann = try await AppHolder.enrol(server)
            let now = server.clock.now
            let account = try #require(UserID(ann.person.id))
            let hash = try await server.appliance.store.read { db throws(Problem) in
                try db.accounts.credentials(account)?.passwordHash ?? ""
            }
            // What a stranger's guesses from elsewhere are counted under.
            for _ in 0..<10 {
                try await server.appliance.throttle.take(
                    Throttle.Guess.otp, "\(ann.person.email)  \(hash)", at: now)
            }
            #expect(try await ann.login(ann.code(1)).status == 200)
        }
    }

    @Test("it is turned off by the password alone, and then nothing is asked")
    func off() async throws {
        try await TestServer.run { server async throws in
            let ann = try await AppHolder.enrol(server)
            func off(_ password: String) async throws -> TestAnswer {
                try await server.send(
                    "DELETE", "/me/totp", ann.person.token,
                    .object([JSON.Member("current_password", .string(password))]))
            }
            #expect(try await off("not the password at all").code == "invalid_credentials")
            #expect(try await ann.login(nil).code == "otp_required")
            #expect(try await off(TestServer.password).status == 204)
            #expect(try await ann.login(nil).status == 200)
            #expect(try await off(TestServer.password).code == "not_found")
            #expect(try await ann.actions().contains("user.totp_disabled"))
            let again = try await AppHolder.enrol(server, ann.person)
            #expect(again.secret != ann.secret)
            #expect(try await again.login(ann.recoveryCodes[0]).status == 401)
            #expect(try await again.login(again.recoveryCodes[0]).status == 200)
        }
    }

    @Test("a secret that was shown an hour ago is not turned on")
    func stale() async throws {
        try await TestServer.run { server async throws in
            let ann = try await AppHolder.enrol(server, confirms: false)
            server.clock.advance(.seconds(3600))
            let person = try TestServer.person(
                try await server.login(ann.person.email), ann.person.email)
            let late = AppHolder(server: server, person: person, secret: ann.secret)
            #expect(try await late.confirm(late.code()).code == "conflict")
            _ = try await AppHolder.enrol(server, person)
        }
    }

    @Test("neither the secret nor a recovery code is in the store as it is")
    func atRest() async throws {
        try await TestServer.run { server async throws in
            let ann = try await AppHolder.enrol(server)
            let code = Array(ann.recoveryCodes[0].filter { $0 != "-" }.utf8)
            let text = Array(Base32.encode(ann.secret).utf8)
            for name in ["gatehouse.db", "gatehouse.db-wal"] {
                let bytes = try SafeFile.read("\(server.folder.path)/\(name)", bytesMax: 1 << 24)
                for secret in [ann.secret, text, code] {
                    #expect(bytes.firstRange(of: secret) == nil)
                }
            }
        }
    }
}
