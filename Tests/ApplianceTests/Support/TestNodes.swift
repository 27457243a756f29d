import Domain
import Store
import Support

@testable import Appliance

/// Two daemons on one PostgreSQL.
enum TestNodes {
    /// - Parameter secondURL: by which way the second one goes.
    static func run(
        clock: FakeClock = FakeClock(), url: String? = nil, secondURL: String? = nil,
        _ body: @Sendable @escaping (_ first: TestServer, _ second: TestServer) async throws -> Void
    ) async throws {
        let url = try url ?? PostgresDatabase.make()
        let folders = [try TemporaryFolder(), try TemporaryFolder()]
        try await TestServer.run(folder: folders[0], clock: clock, configure: share(url)) { first in
            for name in ["signing-keys.json", "sealing-keys.json"] {
                let bytes = try SafeFile.read("\(folders[0].path)/\(name)", bytesMax: 1 << 20)
                try SafeFile.write(bytes, to: "\(folders[1].path)/\(name)")
            }
            try await TestServer.run(
                folder: folders[1], clock: clock, configure: share(secondURL ?? url)
            ) { second in try await body(first, second) }
        }
    }

    static func share(_ url: String) -> @Sendable (inout Configuration) -> Void {
        { configuration in
            configuration.store.url = url
            configuration.isShared = true
        }
    }
}
