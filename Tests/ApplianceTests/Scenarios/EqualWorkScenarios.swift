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
        let store = try #require(server.appliance.engine as? SQLiteStore)
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

    @Test(
        "who asks for a link gets the same rows written, and nobody's do not pile up",
        arguments: ["/auth/forgot-password", "/auth/resend-verification"])
    func rows(_ path: String) async throws {
        try await TestServer.run(configure: Self.quiet) { server async throws in
            @Sendable func counts() async throws -> [Int64] {
                try await server.appliance.store.read { db throws(Problem) in
                    [
                        try db.count("SELECT count(*) FROM jobs WHERE kind = 'send_mail'"),
                        try db.count("SELECT count(*) FROM audit_logs"),
                        try db.count(
                            "SELECT count(*) FROM one_time_tokens WHERE purpose <> 'setup'"),
                    ]
                }
            }
            _ = try await server.register("ann@example.com")
            // From here on each has a link of this purpose, which the next one replaces.
            let asked = ["ann@example.com", "nobody@example.com", "else@example.com"]
            for email in asked {
                _ = try await server.post(path, .object([JSON.Member("email", .string(email))]))
            }
            for email in asked {
                let before = try await counts()
                _ = try await server.post(path, .object([JSON.Member("email", .string(email))]))
                let after = try await counts()
                #expect(zip(before, after).map { $1 - $0 } == [1, 1, 0], "\(email)")
            }
            try await server.mailsSent()
            #expect(try await server.mails(to: "nobody@example.com").isEmpty)
        }
    }
}
