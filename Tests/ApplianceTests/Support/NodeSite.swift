import Domain
import Support

@testable import Appliance

/// One PostgreSQL and one Redis, for the nodes of a test.
struct NodeSite: Sendable {
    let url: String
    let redis: RedisServer
    var rates = "closed"
    var blocks = true
    /// Whether nodes hear of each other by messages.
    var hears = true

    static func open(
        url: String? = nil, _ body: (NodeSite) async throws -> Void
    ) async throws {
        let url = try url ?? PostgresDatabase.make()
        try await RedisServer.run { redis in try await body(NodeSite(url: url, redis: redis)) }
    }

    func configure(_ configuration: inout Configuration) {
        configuration.store.url = url
        configuration.redis.url = RedisURL(redis.url)
        configuration.limits.ratesWithoutRedis = rates
        configuration.limits.localBlocks = blocks
    }

    /// Puts the sealing key into the data directory of a node: one for all nodes of all tests.
    static func seal(_ folder: TemporaryFolder) throws {
        try SafeFile.write(try sealingKeys.get(), to: folder.path + "/sealing-keys.json")
    }

    /// As they stand in their file.
    private static let sealingKeys = Result {
        let folder = try TemporaryFolder()
        try SealingKeys.make(folder.path + "/keys", at: .epoch)
        return try SafeFile.read(folder.path + "/keys", bytesMax: 1 << 16)
    }
}

extension SharedCustomers {
    /// Returns once customers are let in; nothing announces it. An epoch that has ended is not
    /// waited for.
    func isOpen(after former: String? = nil) async throws {
        let end = ContinuousClock.now + .seconds(60)
        while ContinuousClock.now < end {
            let (name, stage) = epoch.current
            if case .open = stage, name != former, let server = redis.server,
                epoch.name(on: server) != nil
            {
                return
            }
            try await Task.sleep(for: .milliseconds(5))
        }
        throw TemporaryFolder.Failure(
            what: "Redis is not in use in time: \(epoch.current), \(redis.server ?? "away")")
    }
}
