import Domain
import Store
import Support
import Testing

@testable import Appliance

@Suite("Admins who need one-time codes")
struct HeldBackAdminScenarios {
    private static let email = "admin@example.com"

    private static func admin(_ server: TestServer) async throws -> TestServer.Person {
        _ = try await server.appliance.createAdmin(
            email: EmailAddress(canonical: email), password: Secret(TestServer.password))
        return try TestServer.person(try await server.login(email), email)
    }

    private static func demand(_ configuration: inout Configuration) {
        configuration.auth.requireTOTPForAdmins = true
    }

    private static func role(_ token: String, _ server: TestServer) -> Account.Role? {
        server.appliance.tokens.verify(token, at: server.clock.now)?.role
    }

    @Test("until they have them, they and their keys reach their own account and nothing else")
    func heldBack() async throws {
        let folder = try TemporaryFolder()
        let keyPath = folder.path + "/key"
        try await TestServer.run(folder: folder) { server async throws in
            let made = try await server.key(try await Self.admin(server), ["gate", "admin:read"])
            let text = try #require(made.json["key"]?.text)
            try SafeFile.write(Array(text.utf8), to: keyPath)
        }
        let key = String(decoding: try SafeFile.read(keyPath, bytesMax: 99), as: UTF8.self)
        try await TestServer.run(
            folder: folder, configure: Self.demand
        ) { server async throws in
            let admin = try TestServer.person(try await server.login(Self.email), Self.email)
            for path in ["/admin/users", "/api-keys", "/usage", "/gate"] {
                let refused = try await server.get(path, admin.token)
                #expect(refused.status == 403 && refused.code == "forbidden", "\(path)")
                #expect(refused.json["detail"]?.text?.contains("/me/totp") == true)
            }
            for path in ["/gate", "/gate", "/admin/users"] {
                #expect(try await server.get(path, .key(key)).code == "forbidden", "\(path)")
            }
            #expect(try await server.get("/me", admin.token).status == 200)
            #expect(try await server.get("/me/sessions", admin.token).status == 200)
            #expect(Self.role(admin.access, server) == .user)

            _ = try await AppHolder.enrol(server, admin)
            #expect(try await server.get("/admin/users", admin.token).status == 200)
            #expect(try await server.get("/gate", .key(key)).status == 200)
            let fresh = try TestServer.person(
                try await server.refresh(admin.refresh), Self.email)
            #expect(Self.role(fresh.access, server) == .admin)
        }
    }

    @Test("others, and admins where it is not demanded, are not held back")
    func others() async throws {
        try await TestServer.run { server async throws in
            let admin = try await Self.admin(server)
            #expect(try await server.get("/admin/users", admin.token).status == 200)
            #expect(Self.role(admin.access, server) == .admin)
        }
        try await TestServer.run(configure: Self.demand) {
            server async throws in
            let ann = try await server.person()
            #expect(try await server.get("/usage", ann.token).status == 200)
        }
    }
}
