import Domain
import Store
import Support
import Synchronization
import Testing

@testable import Appliance

@Suite("The registry of nodes", .enabled(if: PostgresDatabase.isWanted))
struct NodeRegistryTests {
    /// A clock that the test turns.
    private final class Turned: Sendable {
        private let moment = Mutex(ContinuousClock.now)
        var now: ContinuousClock.Instant { moment.withLock { $0 } }
        func advance(_ span: Duration) { moment.withLock { $0 = $0 + span } }
    }

    private let store: PostgresStore
    private let turned = Turned()
    private let log = LogRecord()
    private let nodes: [NodeRegistry]

    init() throws {
        let store = try PostgresStore(url: try PostgresDatabase.make(), readerCount: 1)
        self.store = store
        var random = SplitMix64(seed: 1)
        let (clock, logger) = (turned, log.logger)
        nodes = (0..<3).map { _ in
            NodeRegistry(
                name: NodeName(using: &random), store: store, version: "1",
                clock: FakeClock().wall, now: { clock.now }, hasFolded: { true },
                logger: logger)
        }
    }

    /// So many seconds, in each of which these nodes beat.
    private func pass(_ seconds: Int, _ beating: some Sequence<NodeRegistry>) async {
        for _ in 0..<seconds {
            turned.advance(.seconds(1))
            for node in beating { await node.beat() }
        }
    }

    private func live(_ node: NodeRegistry) async throws -> Set<NodeName> {
        Set(try await node.live().map(\.name))
    }

    @Test("A node is live until its beat has stood still for ten seconds, and when it beats again")
    func live() async throws {
        for node in nodes { try await node.enter() }
        let all = Set(nodes.map(\.name))
        #expect(try await live(nodes[0]) == all)
        await pass(9, nodes.dropLast())
        #expect(try await live(nodes[0]) == all)
        await pass(1, nodes.dropLast())
        #expect(try await live(nodes[0]) == Set(nodes.dropLast().map(\.name)))
        await nodes[2].beat()
        #expect(try await live(nodes[0]) == all)
        store.close()
    }

    @Test("Who has just come gives a node that may be dead its ten seconds")
    func justCame() async throws {
        try await nodes[1].enter()
        turned.advance(.seconds(60))
        try await nodes[0].enter()
        #expect(try await live(nodes[0]).count == 2)
        await pass(10, [nodes[0]])
        #expect(try await live(nodes[0]) == [nodes[0].name])
        store.close()
    }

    @Test("Who died is counted and told of once, and a node that cannot look says nothing")
    func told() async throws {
        for node in nodes { try await node.enter() }
        await pass(12, nodes.dropLast())
        for node in nodes.dropLast() {
            let counts = try #require(node.counts)
            #expect(counts == (live: 2, dead: 1))
        }
        await nodes[2].beat()
        await nodes[0].beat()
        let counts = try #require(nodes[0].counts)
        #expect(counts == (live: 3, dead: 0))
        let about = log.lines.filter { $0.contains("\(nodes[2].name)") }
        #expect(about.map { $0.contains("is gone") } == [true, true, false], "\(about)")
        turned.advance(.seconds(10))
        #expect(nodes[0].counts == nil)
        store.close()
    }

    @Test("Nobody is dead for the time in which the store was away")
    func away() async throws {
        for node in nodes { try await node.enter() }
        await pass(5, nodes)
        turned.advance(.seconds(60))
        await nodes[0].beat()
        #expect(try await live(nodes[0]).count == 3)
        #expect(try #require(nodes[0].counts) == (live: 3, dead: 0))
        await pass(10, nodes.dropLast())
        #expect(try await live(nodes[0]).count == 2)
        store.close()
    }

    @Test("An epoch is reached by all once each live node has, and a start has reached none")
    func epochs() async throws {
        for node in nodes { try await node.enter() }
        try await nodes[0].reach("a")
        try await nodes[1].reach("a")
        #expect(try await !nodes[0].allHaveReached("a"))
        // The third one dies.
        await pass(10, nodes.dropLast())
        #expect(try await nodes[0].allHaveReached("a"))
        #expect(try await !nodes[0].allHaveReached("b"))
        try await nodes[2].enter()
        #expect(try await !nodes[0].allHaveReached("a"))
        try await nodes[2].reach("a")
        #expect(try await nodes[0].allHaveReached("a"))
        store.close()
    }

    @Test("A node whose row was removed is there again with its next beat, and in its epoch")
    func removed() async throws {
        try await nodes[0].enter()
        for reach in [nil, "a", nil] {
            _ = try await store.write { db throws(Problem) in try db.execute("DELETE FROM nodes") }
            if let reach { try await nodes[0].reach(reach) } else { await nodes[0].beat() }
            #expect(try await live(nodes[0]) == [nodes[0].name])
        }
        #expect(try await nodes[0].allHaveReached("a"))
        store.close()
    }

    @Test("Who has been dead for a day is removed, and who lives stays whatever its clock says")
    func pruned() async throws {
        for node in nodes { try await node.enter() }
        try await nodes[0].prune(at: FakeClock().now + .seconds(86_401))
        #expect(try await live(nodes[0]).count == 3)
        await pass(10, nodes.dropLast())
        // Dead for so short a time by its clock.
        try await nodes[0].prune(at: FakeClock().now + .seconds(86_400))
        #expect(try await stored() == Set(nodes.map(\.name)))
        try await nodes[0].prune(at: FakeClock().now + .seconds(86_401))
        #expect(try await stored() == Set(nodes.dropLast().map(\.name)))
        store.close()
    }

    private func stored() async throws -> Set<NodeName> {
        Set(try await store.read { db throws(Problem) in try db.nodes.list() }.map(\.name))
    }
}
