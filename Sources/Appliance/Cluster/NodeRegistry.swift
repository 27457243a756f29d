import Domain
import Logging
import ServiceLifecycle
import Store
import Synchronization

/// Which daemons share the store, and which of them live.
///
/// Each counts its beat in `nodes` up once a second. Whether another lives is told by this node's
/// own clock, from when it last saw that one's beat change: clocks of machines are not compared. A
/// node that was just met is given the benefit of the doubt, and time in which the store was away
/// counts against nobody: no beat could be written then.
final class NodeRegistry: Service {
    private static let pause: Duration = .seconds(1)
    /// A beat that stands still for so long is a dead node's. A machine that was stopped for
    /// longer can come back, having let nobody in meanwhile that it had not counted (`Freshness`).
    static let patience: Duration = .seconds(10)
    /// Looks that are further apart than this: the store was away. Nobody can have beaten then.
    private static let blindAfter: Duration = .seconds(3)
    /// Rows of the dead are kept this long, to be looked at.
    static let kept: Duration = .seconds(86_400)

    private struct Seen {
        var beat: Int64
        var changed: ContinuousClock.Instant
        /// It was found dead by a look, and the log says so.
        var isDead = false
    }

    private struct View {
        var nodes: [NodeName: Seen] = [:]
        var lookedAt: ContinuousClock.Instant?
    }

    let name: NodeName
    private let store: any Database
    private let version: String
    private let clock: WallClock
    private let now: @Sendable () -> ContinuousClock.Instant
    private let hasFolded: @Sendable () -> Bool
    private let logger: Logger
    private let view = Mutex(View())
    /// The epoch that this node has reached since it started.
    private let reached = Mutex<String?>(nil)

    /// - Parameters:
    ///   - now: a clock that nobody sets.
    ///   - hasFolded: whether the store has all that this node has counted.
    init(
        name: NodeName, store: any Database, version: String, clock: WallClock,
        now: @escaping @Sendable () -> ContinuousClock.Instant = { .now },
        hasFolded: @escaping @Sendable () -> Bool, logger: Logger
    ) {
        self.name = name
        self.store = store
        self.version = version
        self.clock = clock
        self.now = now
        self.hasFolded = hasFolded
        self.logger = logger
    }

    /// Once what a former process of this node had counted is in the store.
    func enter() async throws(Problem) {
        let (name, version, now) = (name, version, clock.now())
        note(
            try await store.write { db throws(Problem) in
                try db.nodes.enter(name, version: version, at: now)
                return try db.nodes.list()
            })
    }

    func run() async {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                do { try await Task.sleep(for: Self.pause) } catch { return }
                await self.beat()
            }
        }
        await leave()
    }

    /// One more, and a look at those of the others.
    func beat() async {
        let (name, version, now) = (name, version, clock.now())
        let reached = reached.withLock { $0 }
        do throws(Problem) {
            note(
                try await store.write { db throws(Problem) in
                    if !(try db.nodes.beat(name, at: now)) {
                        try db.nodes.enter(name, version: version, reached: reached, at: now)
                    }
                    return try db.nodes.list()
                })
        } catch {
            // Whether it was taken for dead, the others' next answer tells.
            logger.warning("this node's beat could not be written", metadata: error.metadata)
        }
    }

    /// While counts of this node are in its file alone, its row stays.
    private func leave() async {
        guard hasFolded() else { return }
        let name = name
        do throws(Problem) {
            try await store.write { db throws(Problem) in try db.nodes.leave(name) }
        } catch {
            logger.warning("this node could not take its leave", metadata: error.metadata)
        }
    }

    // MARK: The others

    private func note(_ nodes: [Nodes.Entry]) {
        let now = now()
        let (gone, back) = view.withLock { view in
            let there = Set(nodes.map(\.name))
            view.nodes = view.nodes.filter { there.contains($0.key) }
            if let last = view.lookedAt, now - last > Self.blindAfter {
                for name in there { view.nodes[name]?.changed += now - last }
            }
            view.lookedAt = now
            var (gone, back): ([Nodes.Entry], [Nodes.Entry]) = ([], [])
            for node in nodes {
                guard let seen = view.nodes[node.name], seen.beat == node.beat else {
                    if view.nodes[node.name]?.isDead == true { back.append(node) }
                    view.nodes[node.name] = Seen(beat: node.beat, changed: now)
                    continue
                }
                // It lives, whether or not it can write that down.
                guard node.name != name, !seen.isDead, now - seen.changed >= Self.patience
                else { continue }
                view.nodes[node.name]?.isDead = true
                gone.append(node)
            }
            return (gone, back)
        }
        for node in gone {
            logger.warning(
                "a node is gone; it may have counts that the store lacks until it is back",
                metadata: ["node": "\(node.name)", "last_beat": "\(node.beatAt)"])
        }
        for node in back {
            logger.notice("a node is back", metadata: ["node": "\(node.name)"])
        }
    }

    /// As far as this node knows.
    func isLive(_ node: Nodes.Entry) -> Bool {
        let now = now()
        return view.withLock { view in
            view.nodes[node.name].map {
                $0.beat != node.beat || now - $0.changed < Self.patience
            } ?? true
        }
    }

    /// How many lived and were dead at the last look, this node among them. Nil when that was too
    /// long ago to say: the store is away.
    var counts: (live: Int, dead: Int)? {
        let now = now()
        return view.withLock { view in
            guard let at = view.lookedAt, now - at < Self.patience else { return nil }
            let dead = view.nodes.values.count { $0.isDead }
            return (view.nodes.count - dead, dead)
        }
    }

    /// Asks the store.
    func live() async throws(Problem) -> [Nodes.Entry] {
        let nodes = try await store.read { db throws(Problem) in try db.nodes.list() }
        note(nodes)
        return nodes.filter(isLive)
    }

    /// Removes who is dead, and has been for a day by its own clock: that one says little, so who
    /// lives stays whatever it says.
    func prune(at now: Timestamp) async throws(Problem) {
        let nodes = try await store.read { db throws(Problem) in try db.nodes.list() }
        note(nodes)
        let gone = nodes.filter { !isLive($0) && $0.beatAt < now - Self.kept }
        guard !gone.isEmpty else { return }
        try await store.write { db throws(Problem) in
            for node in gone { try db.nodes.remove(node.name, beat: node.beat) }
        }
    }

    // MARK: Epochs

    /// All that this node had counted before the epoch is in the store.
    func reach(_ epoch: String) async throws(Problem) {
        let (name, version, now) = (name, version, clock.now())
        try await store.write { db throws(Problem) in
            if try db.nodes.reach(epoch, name) { return }
            try db.nodes.enter(name, version: version, reached: epoch, at: now)
        }
        reached.withLock { $0 = epoch }
    }

    /// Whether the store has all that any node had counted before the epoch. What a dead one has in
    /// its file comes when it starts again.
    func allHaveReached(_ epoch: String) async throws(Problem) -> Bool {
        try await live().allSatisfy { $0.epoch == epoch }
    }
}
