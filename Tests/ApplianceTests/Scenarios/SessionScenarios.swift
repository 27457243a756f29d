import Domain
import Store
import Support
import Testing

@testable import Appliance

@Suite("Sessions over time")
struct SessionScenarios {
    @Test("an access token works until its last moment and not after")
    func expiry() async throws {
        try await TestServer.run { server async throws in
            let ann = try await server.person()
            server.clock.advance(.seconds(899))
            #expect(try await server.get("/me", ann.token).status == 200)
            server.clock.advance(.seconds(1))
            #expect(try await server.get("/me", ann.token).status == 401)
        }
    }

    @Test("a session ends at its absolute limit, however often it was refreshed")
    func absoluteLimit() async throws {
        try await TestServer.run { server async throws in
            var refresh = try await server.person().refresh
            for _ in 0..<4 {
                server.clock.advance(.seconds(20 * 86_400))
                let answer = try await server.refresh(refresh)
                #expect(answer.status == 200)
                refresh = try #require(answer.json["refresh_token"]?.text)
            }
            server.clock.advance(.seconds(10 * 86_400))
            #expect(try await server.refresh(refresh).code == "invalid_refresh_token")
        }
    }

    @Test("a refresh token that is not used for its life runs out")
    func idleLimit() async throws {
        try await TestServer.run { server async throws in
            let ann = try await server.person()
            server.clock.advance(.seconds(30 * 86_400))
            #expect(try await server.refresh(ann.refresh).code == "invalid_refresh_token")
        }
    }

    @Test("a client whose answer was lost may ask again an hour later")
    func lostAnswer() async throws {
        try await TestServer.run { server async throws in
            let ann = try await server.person()
            #expect(try await server.refresh(ann.refresh).status == 200)
            server.clock.advance(.seconds(3600))
            let again = try await server.refresh(ann.refresh)
            #expect(again.status == 200)
            let token = try #require(again.json["access_token"]?.text)
            #expect(try await server.get("/me", .token(token)).status == 200)
        }
    }

    @Test("ten seconds after delivery, the generation before is reuse and ends the session")
    func reuseAfterGrace() async throws {
        try await TestServer.run { server async throws in
            let ann = try await server.person()
            let next = try await server.refresh(ann.refresh)
            let access = try #require(next.json["access_token"]?.text)
            #expect(try await server.get("/me", .token(access)).status == 200)
            server.clock.advance(.milliseconds(9_999))
            #expect(try await server.refresh(ann.refresh).status == 200)
            server.clock.advance(.milliseconds(1))
            #expect(try await server.refresh(ann.refresh).code == "refresh_token_reused")
            #expect(try await server.get("/me", .token(access)).status == 401)
        }
    }

    @Test("a thief who refreshed first is found out when the owner comes back")
    func thief() async throws {
        try await TestServer.run { server async throws in
            let ann = try await server.person()
            let stolen = try await server.refresh(ann.refresh)
            let thief = try #require(stolen.json["access_token"]?.text)
            #expect(try await server.get("/me", .token(thief)).status == 200)
            server.clock.advance(.seconds(60))
            #expect(try await server.refresh(ann.refresh).code == "refresh_token_reused")
            #expect(try await server.get("/me", .token(thief)).status == 401)
            let log = try await server.appliance.store.read { db throws(Problem) in
                try db.audit.list(AuditLog.Filter(), before: nil, limit: 50)
            }
            #expect(log.contains { $0.action == "session.token_reused" })
        }
    }

    @Test("a token that a newer one of its generation replaced is reuse when it shows up")
    func orphan() async throws {
        try await TestServer.run { server async throws in
            let ann = try await server.person()
            let lost = try #require(
                try await server.refresh(ann.refresh).json["refresh_token"]?.text)
            server.clock.advance(.seconds(11))
            #expect(try await server.refresh(ann.refresh).status == 200)
            #expect(try await server.refresh(lost).code == "refresh_token_reused")
        }
    }

    @Test("twenty rounds of fifty parallel refreshes leave one live session")
    func parallelRounds() async throws {
        let unthrottled = { (configuration: inout Configuration) in
            configuration.limits.authEnabled = false
        }
        try await TestServer.run(configure: unthrottled) { server async throws in
            var token = try await server.person().refresh
            for round in 0..<20 {
                let current = token
                let answers = try await withThrowingTaskGroup(of: TestAnswer.self) { tasks in
                    for _ in 0..<50 { tasks.addTask { try await server.refresh(current) } }
                    return try await tasks.reduce(into: []) { $0.append($1) }
                }
                #expect(answers.allSatisfy { $0.status == 200 }, "round \(round)")
                token = try #require(answers.last?.json["refresh_token"]?.text)
                server.clock.advance(.seconds(1))
            }
            let live = try await server.appliance.store.read { db throws(Problem) in
                try db.count("SELECT count(*) FROM sessions WHERE revoked_at IS NULL")
            }
            #expect(live == 1)
        }
    }

    @Test("revoking a token that has run out is answered as ever, and its session lives")
    func revokedTooLate() async throws {
        try await TestServer.run { server async throws in
            let ann = try await server.person()
            server.clock.advance(.seconds(900))
            let again = try TestServer.person(try await server.login(ann.email), ann.email)
            let answer = try await TestClient(port: server.port).send(
                "POST", "/api/v1/auth/revoke",
                [
                    ("Authorization", "Bearer \(again.access)"),
                    ("Content-Type", "application/x-www-form-urlencoded"),
                ], Array("token=\(ann.access)".utf8))
            #expect(answer.status == 200 && answer.text.isEmpty)
            #expect(try await server.refresh(ann.refresh).status == 200)
        }
    }

    @Test("a rotated signing key lets tokens of the old one run out")
    func keyRotation() async throws {
        try await TestServer.run { server async throws in
            let ann = try await server.person()
            server.clock.advance(.seconds(60))
            try await server.appliance.keyRing.rotate(by: .shell, at: server.clock.now)
            #expect(try await server.get("/me", ann.token).status == 200)
            let jwks = try await server.get("/.well-known/jwks.json")
            #expect(jwks.json["keys"]?.elements.count == 2)
            server.clock.advance(.seconds(86_400))
            try await server.appliance.keyRing.rotate(by: .shell, at: server.clock.now)
            let later = try await server.get("/.well-known/jwks.json")
            #expect(later.json["keys"]?.elements.count == 2)
        }
    }

    @Test("a signing key that has reached its age is rotated")
    func keyAge() async throws {
        try await TestServer.run { server async throws in
            let first = try server.appliance.keyRing.active(at: server.clock.now).id
            server.clock.advance(.seconds(89 * 86_400))
            try await server.appliance.rotateSigningKeyIfDue(at: server.clock.now)
            let same = try server.appliance.keyRing.active(at: server.clock.now).id
            #expect(same == first)
            server.clock.advance(.seconds(86_400))
            try await server.appliance.rotateSigningKeyIfDue(at: server.clock.now)
            let next = try server.appliance.keyRing.active(at: server.clock.now).id
            #expect(next != first)
            let rows = try await server.appliance.store.read { db throws(Problem) in
                var filter = AuditLog.Filter()
                filter.action = "signing_key.rotated"
                return try db.audit.list(filter, before: nil, limit: 9)
            }
            #expect(rows.map(\.actor) == ["system"])
            #expect(rows.map(\.target) == ["signing_key:\(next)"])
        }
    }

    @Test("a password hash of former costs is replaced at the next sign-in")
    func rehash() async throws {
        let folder = try TemporaryFolder()
        try await TestServer.run(folder: folder) { _ = try await $0.person() }
        let dearer = { (configuration: inout Configuration) in
            configuration.auth.argon2Iterations = 3
        }
        try await TestServer.run(folder: folder, configure: dearer) { server async throws in
            #expect(try await server.login("ann@example.com").status == 200)
            let hash = try await server.appliance.store.read { db throws(Problem) in
                try db.first("SELECT password_hash FROM users") {
                    row throws(Problem) in try row.text()
                }
            }
            #expect(hash?.contains("t=3,p=1") == true)
            #expect(try await server.login("ann@example.com").status == 200)
        }
    }

    @Test("a link to set a password is dead after an hour")
    func resetLinkEnds() async throws {
        try await TestServer.run { server async throws in
            _ = try await server.person()
            let token = OpaqueToken()
            let appliance = server.appliance
            let now = server.clock.now
            try await appliance.store.write { db throws(Problem) in
                guard let address = EmailAddress("ann@example.com"),
                    let account = try db.accounts.find(address)
                else { return }
                try appliance.insertReset(token, of: account, db, at: now)
            }
            server.clock.advance(.seconds(3600))
            let answer = try await server.post(
                "/auth/reset-password",
                .object([
                    JSON.Member("token", .string(token.secret.text)),
                    JSON.Member("password", .string("another good long phrase")),
                ]))
            #expect(answer.code == "invalid_token")
            #expect(answer.status == 400)
        }
    }
}
