import Domain
import Support

@testable import Appliance

/// Two daemons on one PostgreSQL and one Redis.
enum TestNodes {
    /// - Parameter secondURL: by which way the second one goes.
    static func run(
        clock: FakeClock = FakeClock(), url: String? = nil, secondURL: String? = nil,
        refreshGrace: Duration = Configuration().auth.refreshGrace,
        _ body: @Sendable @escaping (_ first: TestServer, _ second: TestServer) async throws -> Void
    ) async throws {
        let folders = [try TemporaryFolder(), try TemporaryFolder()]
        for folder in folders { try NodeSite.seal(folder) }
        try await NodeSite.open(url: url) { site in
            @Sendable func configure(_ configuration: inout Configuration) {
                site.configure(&configuration)
                // The machine has more to do than this test.
                configuration.redis.timeout = .seconds(5)
                configuration.auth.issuer = "https://id.example.com"
                configuration.auth.refreshGrace = refreshGrace
            }
            try await TestServer.run(folder: folders[0], clock: clock, configure: configure) {
                first in
                try await TestServer.run(
                    folder: folders[1], clock: clock,
                    configure: { configuration in
                        configure(&configuration)
                        if let secondURL { configuration.store.url = secondURL }
                    }
                ) { second in
                    for node in [first, second] {
                        try await node.appliance.gatekeeper.shared?.isOpen()
                    }
                    try await body(first, second)
                }
            }
        }
    }
}
