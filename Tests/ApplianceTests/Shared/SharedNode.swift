import Domain
import Logging
import ServiceLifecycle
import Store
import Support

@testable import Appliance

/// A node of several: a data directory of its own, on one PostgreSQL and one Redis. It serves
/// nobody and folds when it is told to, so that a test knows what stands in its counter file alone.
struct SharedNode: Sendable {
    let appliance: Appliance
    let customers: SharedCustomers

    var gatekeeper: Gatekeeper { appliance.gatekeeper }

    static func site(_ body: (NodeSite) async throws -> Void) async throws {
        try await NodeSite.open(body)
    }

    static func run(
        _ site: NodeSite, folder: TemporaryFolder, _ body: (SharedNode) async throws -> Void
    ) async throws {
        var configuration = Configuration()
        configuration.dataDirectory = folder.path
        configuration.auth.argon2Threads = 1
        site.configure(&configuration)
        configuration.redis.timeout = .seconds(2)
        try NodeSite.seal(folder)
        let name = try NodeName.kept(in: folder.path)
        let store = try PostgresStore(url: site.url, readerCount: 2, hold: .shared(name))
        defer { store.close() }
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let appliance = try Appliance(configuration: configuration, store: store, logger: logger)
        defer { appliance.close() }
        try await appliance.prepare()
        guard let customers = appliance.gatekeeper.shared else {
            throw TemporaryFolder.Failure(what: "not shared")
        }
        let node = SharedNode(appliance: appliance, customers: customers)
        let services: [any Service] =
            [customers.redis] + (appliance.cluster?.services ?? [])
            + appliance.sharing.filter { site.hears || !($0 is BlockRecalls) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for service in services { group.addTask { try await service.run() } }
            defer { group.cancelAll() }
            try await customers.isOpen()
            try await body(node)
        }
    }

    func isAway() async throws {
        while customers.redis.server != nil { try await Task.sleep(for: .milliseconds(2)) }
    }

    // MARK: Customers

    func customer(_ limits: [(String, Int64)]) async throws -> UserID {
        var random = SystemRandomNumberGenerator()
        let now = appliance.clock.now()
        let id: UserID = ID(at: now, using: &random)
        let account = Account(
            id: id, email: EmailAddress(canonical: "\(id)@example.com"), name: nil, role: .user,
            createdAt: now, updatedAt: now)
        let plan = Plan(
            id: ID(at: now, using: &random), slug: "plan-\(id)", name: "Test", description: nil,
            limits: try Limits(
                json: .object(limits.map { JSON.Member($0.0, .integer($0.1)) })),
            isSelfService: true, isDefault: false, createdAt: now, updatedAt: now)
        try await appliance.store.write { db throws(Problem) in
            _ = try db.accounts.insert(account, passwordHash: nil)
            _ = try db.plans.insert(plan)
            _ = try db.subscribe(id, to: plan, expiresAt: nil, at: now)
        }
        return id
    }

    /// Nil when it was granted.
    @discardableResult
    func ask(_ user: UserID, _ cost: Int64 = 1, of metric: String = "requests") async -> Problem? {
        var review = Review()
        do throws(Problem) {
            _ = try await gatekeeper.admit(
                user, Demand(metric: metric, cost: cost), at: appliance.clock.now(), &review)
            return nil
        } catch {
            return error
        }
    }

    /// What the store has of this month.
    func stored(_ user: UserID, _ metric: String = "requests") async throws -> Int64 {
        let now = appliance.clock.now()
        return try await appliance.store.read { db throws(Problem) in
            try db.usage.current(of: user, at: now).first {
                $0.key == nil && $0.tally.metric == metric && $0.tally.window == .month
            }?.tally.value ?? 0
        }
    }

    /// What all nodes see.
    func used(_ user: UserID, _ metric: String = "requests") async throws -> Int64 {
        let report = try await gatekeeper.report(user, at: appliance.clock.now())
        return report.metrics.first { $0.metric == metric }?.used ?? 0
    }

    func lease(_ user: UserID, until end: Timestamp) -> Lease {
        var random = SystemRandomNumberGenerator()
        let now = appliance.clock.now()
        return Lease(
            id: ID(at: now, using: &random), userID: user, keyID: nil, resource: "jobs",
            fencingToken: 0, createdAt: now, expiresAt: end)
    }

    /// Nil when it was granted.
    func take(_ lease: Lease) async -> Problem? {
        var review = Review()
        do throws(Problem) {
            _ = try await gatekeeper.decided(
                lease.userID, at: appliance.clock.now(), &review
            ) { customer, review, now in customer.lease(lease, at: now, &review) }
            return nil
        } catch {
            return error
        }
    }
}

extension NodeSite {
    /// Runs `body` with some nodes; at its end they are gone as if they were killed.
    func run(
        _ count: Int, _ body: @Sendable ([SharedNode]) async throws -> Void
    ) async throws {
        try await grow([], to: count, body)
    }

    private func grow(
        _ nodes: [SharedNode], to count: Int,
        _ body: @Sendable ([SharedNode]) async throws -> Void
    ) async throws {
        guard nodes.count < count else { return try await body(nodes) }
        try await SharedNode.run(self, folder: TemporaryFolder()) { node in
            try await grow(nodes + [node], to: count, body)
        }
    }
}
