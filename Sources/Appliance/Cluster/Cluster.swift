import Domain
import Logging
import ServiceLifecycle
import Store

/// What a daemon has that shares its store with others.
struct Cluster: Sendable {
    let registry: NodeRegistry
    let feed: ChangeFeed

    /// - Throws: where the store is none that several can have.
    init(
        node: NodeName, _ engine: any Database, _ freshness: Freshness,
        _ authenticator: Authenticator, _ gatekeeper: Gatekeeper, _ keyRing: KeyRing,
        clock: WallClock, logger: Logger
    ) throws(Problem) {
        guard let store = engine as? PostgresStore else {
            throw .internal(cause: "only a store on PostgreSQL can be shared")
        }
        let journal = gatekeeper.journal
        registry = NodeRegistry(
            name: node, store: store, version: Gatehouse.version, clock: clock,
            hasFolded: { journal.backlog == 0 }, logger: logger)
        feed = ChangeFeed(
            store: store, freshness: freshness,
            memory: ChangeFeed.Memory(authenticator, gatekeeper, keyRing, clock: clock),
            logger: logger)
    }

    /// Before anything is kept in memory, and once what a former process of this node had counted
    /// is in the store.
    func begin() async throws(Problem) {
        try await feed.catchUp()
        try await registry.enter()
    }

    /// Those that run in the background, the first of them until the last count is folded.
    var services: [any Service] { [registry, feed] }
}

extension ChangeFeed.Memory {
    /// What every route forgets that changes something itself, after its commit: here of the
    /// changes of others.
    init(
        _ authenticator: Authenticator, _ gatekeeper: Gatekeeper, _ keyRing: KeyRing,
        clock: WallClock
    ) {
        self.init(
            forget: { kind, subject throws(Problem) in
                let user = UserID(subject)
                switch kind {
                case .account:
                    if let user { authenticator.forget(account: user) }
                case .accountDeleted:
                    if let user { authenticator.forget(account: user) }
                    if let user { await gatekeeper.forget(user) }
                case .subscription:
                    if let user { authenticator.forget(account: user) }
                    if let user { gatekeeper.standingChanged(of: user) }
                case .session:
                    if let id = SessionID(subject) { authenticator.forget(sessions: [id]) }
                case .key: authenticator.forget(publicID: subject)
                case .plan: gatekeeper.standingsChanged(on: subject)
                case .keys: try await keyRing.reload(at: clock.now())
                }
            },
            forgetAll: { () throws(Problem) in
                authenticator.forgetAll()
                gatekeeper.standingsChanged()
                try await keyRing.reload(at: clock.now())
            })
    }
}
