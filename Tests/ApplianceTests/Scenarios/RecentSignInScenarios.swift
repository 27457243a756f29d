import Domain
import Support
import Testing

@testable import Appliance

/// Power over the appliance is given and taken by somebody who has just signed in (security D4).
@Suite("A sign-in that is older than five minutes")
struct RecentSignInScenarios {
    private static let email = "admin@example.com"

    private static func admin(_ server: TestServer) async throws -> TestServer.Person {
        _ = try await server.appliance.createAdmin(
            email: EmailAddress(canonical: email), password: Secret(TestServer.password))
        return try TestServer.person(try await server.login(email), email)
    }

    private static func object(_ members: (String, JSON)...) -> JSON {
        .object(members.map { JSON.Member($0.0, $0.1) })
    }

    private struct Call {
        let method: String
        let path: String
        let body: JSON?
    }

    /// Calls that need it; the last one is the end of the admin.
    private static func powerful(
        _ server: TestServer, _ admin: TestServer.Person
    ) async throws -> [Call] {
        let ann = try await server.person()
        let adminKey = try await server.key(admin, ["admin:write"]).json["id"]?.text ?? ""
        let plainKey = try await server.key(admin).json["id"]?.text ?? ""
        let scopes = ("scopes", JSON.array([.string("admin:write")]))
        let bob = try await server.person("bob@example.com")
        let bobsKey = try await server.key(bob).json["id"]?.text ?? ""
        let pro = object(("user_id", .string(bob.id)), ("plan", .string("pro")))
        let given = try await server.post("/admin/subscriptions", pro, admin.token)
        let subscription = given.json["id"]?.text ?? ""
        let backup = try await server.post("/admin/backups", object(), admin.token)
        let name = backup.json["name"]?.text ?? ""
        return [
            Call(method: "DELETE", path: "/admin/api-keys/\(bobsKey)", body: nil),
            Call(
                method: "PATCH", path: "/admin/subscriptions/\(subscription)",
                body: object(("status", .string("canceled")))),
            Call(method: "DELETE", path: "/admin/plans/pro", body: nil),
            Call(method: "GET", path: "/admin/backups/\(name)", body: nil),
            Call(
                method: "PATCH", path: "/admin/users/\(bob.id)",
                body: object(("is_active", .bool(false)))),
            Call(
                method: "PATCH", path: "/admin/users/\(ann.id)",
                body: object(("role", .string("support")))),
            Call(
                method: "POST", path: "/admin/users",
                body: object(("email", .string("new@example.com")), ("role", .string("admin")))),
            Call(
                method: "POST", path: "/api-keys", body: object(("name", .string("k")), scopes)),
            Call(method: "PATCH", path: "/api-keys/\(plainKey)", body: object(scopes)),
            Call(method: "POST", path: "/api-keys/\(adminKey)/rotate", body: object()),
            Call(
                method: "PATCH", path: "/admin/users/\(admin.id)",
                body: object(("is_active", .bool(false)))),
        ]
    }

    @Test("changes no role, makes no staff, takes nothing away; signing in again does")
    func stale() async throws {
        try await TestServer.run { server async throws in
            var admin = try await Self.admin(server)
            _ = try await server.appliance.createAdmin(
                email: EmailAddress(canonical: "second@example.com"),
                password: Secret(TestServer.password))
            let calls = try await Self.powerful(server, admin)
            server.clock.advance(.seconds(301))
            // A refreshed session is as old as its sign-in.
            admin = try TestServer.person(try await server.refresh(admin.refresh), Self.email)
            for call in calls {
                let answer = try await server.send(
                    call.method, call.path, admin.token, call.body)
                #expect(answer.status == 403 && answer.code == "forbidden", "\(call)")
                #expect(answer.json["max_age"]?.number == 300, "\(call)")
            }
            #expect(try await server.get("/admin/users", admin.token).status == 200)
            admin = try TestServer.person(try await server.login(Self.email), Self.email)
            for call in calls {
                let answer = try await server.send(
                    call.method, call.path, admin.token, call.body)
                #expect((200...204).contains(answer.status), "\(call): \(answer.text)")
            }
        }
    }

    @Test("does what takes nothing away: names, sessions, plans that are given, invitations")
    func harmless() async throws {
        try await TestServer.run { server async throws in
            let admin = try await Self.admin(server)
            let ann = try await server.person()
            server.clock.advance(.seconds(600))
            let path = "/admin/users/\(ann.id)"
            let change = Self.object(
                ("name", .string("Ann")), ("is_active", .bool(true)), ("role", .string("user")))
            #expect(try await server.send("PATCH", path, admin.token, change).status == 200)
            let revoked = try await server.send(
                "POST", path + "/revoke-sessions", admin.token, nil)
            #expect(revoked.status == 204)
            let pro = Self.object(("user_id", .string(ann.id)), ("plan", .string("pro")))
            let given = try await server.post("/admin/subscriptions", pro, admin.token)
            #expect(given.status == 201)
            let invited = try await server.post(
                "/admin/users", Self.object(("email", .string("bob@example.com"))), admin.token)
            #expect(invited.status == 201)
        }
    }

    @Test("is not asked for of a key with the scope, nor where the configuration says 0s")
    func exempt() async throws {
        let body = Self.object(("role", .string("support")))
        try await TestServer.run { server async throws in
            let made = try await server.key(try await Self.admin(server), ["admin:write"])
            let key = try #require(made.json["key"]?.text)
            let ann = try await server.person()
            server.clock.advance(.seconds(86_400))
            let answer = try await server.send(
                "PATCH", "/admin/users/\(ann.id)", .key(key), body)
            #expect(answer.status == 200)
        }
        let never: (inout Configuration) -> Void = { $0.auth.recentSignIn = .zero }
        try await TestServer.run(configure: never) { server async throws in
            let admin = try await Self.admin(server)
            let ann = try await server.person()
            server.clock.advance(.seconds(600))
            let answer = try await server.send(
                "PATCH", "/admin/users/\(ann.id)", admin.token, body)
            #expect(answer.status == 200)
        }
    }
}
