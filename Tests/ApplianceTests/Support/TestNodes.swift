import Domain
import Store
import Support

@testable import Appliance

/// Two daemons on one PostgreSQL.
enum TestNodes {
    /// - Parameter secondURL: by which way the second one goes.
    static func run(
        clock: FakeClock = FakeClock(), url: String? = nil, secondURL: String? = nil,
        refreshGrace: Duration = Configuration().auth.refreshGrace,
        _ body: @Sendable @escaping (_ first: TestServer, _ second: TestServer) async throws -> Void
    ) async throws {
        let url = try url ?? PostgresDatabase.make()
        let folders = [try TemporaryFolder(), try TemporaryFolder()]
        for folder in folders { try seal(folder) }
        try await RedisServer.run { redis in
            try await TestServer.run(
                folder: folders[0], clock: clock, configure: share(url, redis, refreshGrace)
            ) { first in
                try await TestServer.run(
                    folder: folders[1], clock: clock,
                    configure: share(secondURL ?? url, redis, refreshGrace)
                ) { second in
                    for node in [first, second] { try await node.sharesCustomers() }
                    try await body(first, second)
                }
            }
        }
    }

    /// One sealing key for all nodes of all tests, as it stands in its file.
    private static let sealingKeys = Result {
        let folder = try TemporaryFolder()
        try SealingKeys.make(folder.path + "/keys", at: .epoch)
        return try SafeFile.read(folder.path + "/keys", bytesMax: 1 << 16)
    }

    static func seal(_ folder: TemporaryFolder) throws {
        try SafeFile.write(try sealingKeys.get(), to: folder.path + "/sealing-keys.json")
    }

    static func share(
        _ url: String, _ redis: RedisServer,
        _ refreshGrace: Duration = Configuration().auth.refreshGrace
    ) -> @Sendable (inout Configuration) -> Void {
        { configuration in
            configuration.store.url = url
            configuration.redis.url = RedisURL(redis.url)
            // The machine has more to do than this test.
            configuration.redis.timeout = .seconds(5)
            configuration.auth.issuer = "https://id.example.com"
            configuration.auth.refreshGrace = refreshGrace
        }
    }
}

extension TestServer {
    /// Returns once customers are let in; nothing announces it.
    func sharesCustomers() async throws {
        guard let epoch = appliance.gatekeeper.shared?.epoch else { return }
        let end = ContinuousClock.now + .seconds(30)
        while ContinuousClock.now < end {
            if case .open = epoch.current.stage { return }
            try await Task.sleep(for: .milliseconds(5))
        }
        let server = appliance.redis?.server ?? "away"
        throw TemporaryFolder.Failure(
            what: "Redis is not in use in time: \(epoch.current), \(server)")
    }
}
