import Domain
import Testing

@testable import Store

/// A COMMIT whose answer never comes: was it done?
@Suite("A lost COMMIT on PostgreSQL", .enabled(if: Engine.wanted.contains(.postgres)))
struct LostAnswerTests {
    private static func withProxy(
        _ body: (_ node: PostgresStore, _ proxy: CutProxy, _ direct: any Database) async throws ->
            Void
    ) async throws {
        try await PostgresServer.shared.with { lent in
            let match = try #require(lent.url.firstMatch(of: #/127\.0\.0\.1:(\d+)/#))
            let port = try #require(UInt16(match.1))
            let proxy = try CutProxy(to: port)
            defer { proxy.close() }
            var options = try PostgresOptions(
                url: lent.url.replacing(":\(match.1)/", with: ":\(proxy.port)/"))
            options.timeouts.lookUp = .seconds(2)
            let node = try PostgresStore(
                options, readerCount: 1, writerQueue: 64, migrates: true)
            defer { node.close() }
            try await body(node, proxy, lent.store)
        }
    }

    /// Not the same when it is done twice.
    private static let count: SQL = """
        INSERT INTO installation (name, value) VALUES ('count', '1')
        ON CONFLICT (name) DO UPDATE SET value = installation.value || '1'
        """

    @Test("The server had done it: the caller hears of success, and it is done once")
    func committed() async throws {
        try await Self.withProxy { node, proxy, direct in
            proxy.arm(.after)
            try await node.execute(Self.count)
            #expect(try await direct.texts("SELECT value FROM installation") == ["1"])
            #expect(node.writerFigures.lookedUp == 1)
            #expect(node.writerFigures.repeated == 0)
        }
    }

    @Test("The server never heard of it: it is done anew, and once")
    func rolledBack() async throws {
        try await Self.withProxy { node, proxy, direct in
            proxy.arm(.before)
            try await node.execute(Self.count)
            #expect(try await direct.texts("SELECT value FROM installation") == ["1"])
            #expect(node.writerFigures.lookedUp == 1)
            #expect(node.writerFigures.repeated == 1)
        }
    }

    @Test("Nobody can be asked: the caller hears that it is not known, and the store goes on later")
    func unknown() async throws {
        try await Self.withProxy { node, proxy, direct in
            proxy.arm(.after, isLast: true)
            let problem = await node.refusal { db throws(Problem) in
                try db.execute(Self.count)
            }
            #expect(problem?.code == .unavailable)
            #expect(problem?.detail.contains("not known") == true)
            let kept = try await direct.texts("SELECT value FROM installation")
            #expect(kept == ["1"])
            // While the server is away, nobody waits for it.
            let away = await node.refusal { db throws(Problem) in
                try db.execute(Self.count)
            }
            #expect(away?.detail == "The store cannot be reached.")
            proxy.heal()
            var later = away
            while later != nil {
                later = await node.refusal { db throws(Problem) in
                    try db.execute(Self.count)
                }
            }
            #expect(try await direct.texts("SELECT value FROM installation") == ["11"])
        }
    }
}
