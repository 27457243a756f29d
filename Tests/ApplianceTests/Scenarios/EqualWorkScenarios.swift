import Domain
import Store
import Support
import Testing

@testable import Appliance

/// An answer that waits for the disk comes later than one that does not, which can be measured from
/// outside: whether it waits must not depend on who has an account (security E2).
@Suite("Work that tells nothing")
struct EqualWorkScenarios {
    /// Writes nothing by itself during a test.
    private static func quiet(_ configuration: inout Configuration) {
        configuration.auth.requireVerifiedEmail = true
        configuration.limits.authEnabled = false
        configuration.limits.checkpointInterval = .seconds(60)
    }

    private static func walPages(_ server: TestServer) throws -> Int {
        let store = try #require(server.appliance.store as? SQLiteStore)
        return store.writerFigures.walPages
    }

    @Test(
        "what is asked of an address is written down whether it has an account or not",
        arguments: [
            "/auth/login", "/auth/forgot-password", "/auth/resend-verification", "/auth/register",
        ])
    func writes(_ path: String) async throws {
        try await TestServer.run(configure: Self.quiet) { server async throws in
            _ = try await server.register("ann@example.com")
            for email in ["ann@example.com", "nobody@example.com"] {
                var members = [JSON.Member("email", .string(email))]
                if path.hasSuffix("login") || path.hasSuffix("register") {
                    members.append(JSON.Member("password", .string("not the one of anybody")))
                }
                let before = try Self.walPages(server)
                let answer = try await server.post(path, .object(members))
                #expect([202, 401].contains(answer.status), "\(answer.text)")
                #expect(try Self.walPages(server) > before, "\(email)")
            }
        }
    }
}
