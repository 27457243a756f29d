import Domain
import Logging
import ServiceLifecycle
import Store

extension Gatekeeper {
    /// Where there is a Redis, with the customers that nodes share in it.
    convenience init(
        _ configuration: Configuration, store: any Database, counters: CounterFile,
        redis: RedisClient?, clock: SharedClock?, logger: Logger,
        didSettle: @escaping @Sendable (UserID) -> Void
    ) {
        let stored = StoredCustomers(store: store)
        let journal = Journal(file: counters)
        let limits = configuration.limits
        var shared: SharedCustomers?
        if let redis, let clock {
            shared = SharedCustomers(
                redis: redis, clock: clock, stored: stored, journal: journal,
                customersMax: limits.customersInMemory, takesBlocks: limits.localBlocks,
                decidesRatesAlone: limits.ratesWithoutRedis == "open", logger: logger,
                didSettle: didSettle)
        }
        self.init(
            stored: stored, journal: journal, customersMax: limits.customersInMemory,
            shared: shared, didSettle: didSettle)
    }
}

extension Appliance {
    /// What keeps this node in step with the Redis that it shares.
    var sharing: [any Service] {
        guard let customers = gatekeeper.shared, let nodes = cluster?.registry else { return [] }
        let registry = EpochRegistry(
            reach: { epoch throws(Problem) in try await nodes.reach(epoch) },
            allHaveReached: { epoch throws(Problem) in try await nodes.allHaveReached(epoch) })
        return [
            SharedWatch(appliance: self, customers: customers, registry: registry),
            BlockRecalls(customers: customers),
        ]
    }
}
