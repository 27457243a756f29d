import Domain
import Logging
import ServiceLifecycle
import Store
import Support
import Synchronization
import Testing

@testable import Appliance

/// What happens once, however many nodes there are.
@Suite(
    "Once on several nodes", .enabled(if: PostgresDatabase.isWanted), .timeLimit(.minutes(3)))
struct OnceScenarios {
    /// The same call to both nodes, twice to each, at once: the codes of what is no success.
    private static func callAtOnce(
        _ path: String, _ body: JSON, key: String, as access: String?, _ nodes: [TestServer]
    ) async throws -> [String] {
        try await withThrowingTaskGroup(of: String.self) { group in
            for node in nodes + nodes {
                group.addTask {
                    var headers = [
                        ("Content-Type", "application/json"), ("Idempotency-Key", key),
                    ]
                    if let access { headers.append(("Authorization", "Bearer \(access)")) }
                    var answer: TestAnswer
                    repeat {
                        answer = try await TestClient(port: node.port).send(
                            "POST", "/api/v1" + path, headers, Array(body.encoded.utf8))
                    } while answer.status == 503
                    return answer.status == 201 ? "created" : answer.code ?? "\(answer.status)"
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
    }

    @Test("Calls with one Idempotency-Key, to both nodes at once, create one thing")
    func idempotency() async throws {
        try await TestNodes.run { first, second in
            let ann = try await first.person()
            let body = JSON.object([
                JSON.Member("name", .string("thing")), JSON.Member("data", .integer(1)),
            ])
            for round in 0..<10 {
                let ends = try await Self.callAtOnce(
                    "/items", body, key: "round-\(round)", as: ann.access, [first, second])
                // The same answer again, or still running.
                #expect(Set(ends).subtracting(["created", "idempotency_in_progress"]) == [])
                #expect(ends.contains("created"))
                let made = try await first.appliance.store.read { db throws(Problem) in
                    try db.count("SELECT count(*) FROM items")
                }
                #expect(made == Int64(round + 1))
            }
        }
    }

    @Test("A call that runs into what the same call made on another node is answered as that one")
    func replayed() async throws {
        try await TestNodes.run { first, second in
            for round in 0..<4 {
                let body = JSON.object([
                    JSON.Member("email", .string("bob\(round)@example.com")),
                    JSON.Member("password", .string(TestServer.password)),
                ])
                let ends = try await Self.callAtOnce(
                    "/auth/register", body, key: "round-\(round)", as: nil, [first, second])
                // Never that the address is taken: it is by this very call.
                #expect(Set(ends).subtracting(["created", "idempotency_in_progress"]) == [])
                #expect(ends.count { $0 == "created" } >= 2)
            }
        }
    }

    @Test("Nodes that start at once make the starter plans once, and each has a link to set up")
    func starting() async throws {
        let url = try PostgresDatabase.make()
        let nodes = try (0..<4).map { _ in try Node(url) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for node in nodes { group.addTask { try await node.appliance.prepare() } }
            try await group.waitForAll()
        }
        let store = nodes[0].store
        let counts = try await store.read { db throws(Problem) in
            [
                try db.count("SELECT count(*) FROM plans"),
                try db.count(
                    "SELECT count(*) FROM audit_logs WHERE action = 'plan.starters_created'"),
                try db.count("SELECT count(*) FROM one_time_tokens"),
                try db.count("SELECT count(*) FROM nodes"),
                try db.count("SELECT count(*) FROM schedules"),
            ]
        }
        #expect(counts == [2, 1, 4, 4, 4])
        #expect(Set(nodes.compactMap { $0.appliance.setupLink(publicURL: "") }).count == 4)
        // A node that starts again has another token in place of its own.
        try await nodes[1].appliance.offerSetup()
        let links = nodes.compactMap { $0.appliance.setupLink(publicURL: "") }
        let tokens = try await store.read { db throws(Problem) in
            try db.count("SELECT count(*) FROM one_time_tokens")
        }
        #expect(tokens == 4)
        let secret = try #require(links.last?.split(separator: "=").last)
        let origin = Origin(requestID: "r", address: nil, userAgent: nil)
        let email = try #require(EmailAddress("ann@example.com"))
        let now = nodes[0].appliance.clock.now()
        _ = try await nodes[2].appliance.setUp(
            token: Secret(String(secret)), email: email, password: Secret(TestServer.password),
            from: origin, at: now, keep: { _, _ in })
        let left = try await store.read { db throws(Problem) in
            try db.count("SELECT count(*) FROM one_time_tokens")
        }
        #expect(left == 0)
        for node in nodes { node.close() }
    }

    /// A node that is not served.
    private final class Node: Sendable {
        let folder: TemporaryFolder
        let store: any Database
        let appliance: Appliance

        init(
            _ url: String, folder: TemporaryFolder? = nil, isShared: Bool = true,
            clock: FakeClock = FakeClock()
        ) throws {
            self.folder = try folder ?? TemporaryFolder()
            var configuration = Configuration()
            configuration.dataDirectory = self.folder.path
            configuration.auth.argon2Threads = 1
            configuration.store.url = url
            // Nobody is asked there.
            configuration.redis.url = isShared ? RedisURL("redis://127.0.0.1:1") : nil
            if isShared { try NodeSite.seal(self.folder) }
            store = try configuration.openStore(serves: true)
            appliance = try Appliance(
                configuration: configuration, store: store, clock: clock.wall,
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        }

        func close() {
            appliance.close()
            store.close()
        }
    }

    @Test("A due time of a schedule runs once, whichever of two runners comes to it")
    func schedules() async throws {
        let url = try PostgresDatabase.make()
        let stores = try (0..<2).map { _ in try PostgresStore(url: url, readerCount: 1) }
        defer { for store in stores { store.close() } }
        let clock = FakeClock()
        let ran = Mutex<[Timestamp]>([])
        let handler = JobHandler(JobKind<NoPayload>("tick", .scheduled)) { run throws(Problem) in
            ran.withLock { $0.append(run.createdAt) }
            return .done
        }
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let start = clock.now
        try await stores[0].write { db throws(Problem) in
            try db.schedules.set("tick", spec: "@every 1m", nextAt: start + .seconds(60))
            // Of another version of the program, which runs beside this one.
            try db.schedules.set("tock", spec: "@every 1m", nextAt: start + .seconds(30))
        }
        let group = ServiceGroup(
            services: stores.map {
                JobRunner(
                    [handler], store: $0, clock: clock.wall, bounds: JobRunner.Bounds(),
                    logger: logger)
            }, logger: logger)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            for round in 1...20 {
                clock.advance(.seconds(60))
                // Each runner looks for itself: nobody tells them of each other's.
                for store in stores { store.enqueued.set() }
                var done: Int64 = 0
                while done < Int64(round) {
                    try await Task.sleep(for: .milliseconds(2))
                    done = try await stores[0].read { db throws(Problem) in
                        try db.count("SELECT count(*) FROM jobs WHERE state = 'done'")
                    }
                }
            }
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
        }
        let all = ran.withLock { $0 }
        #expect(all.count == 20)
        #expect(Set(all).count == 20)
        let left = try await stores[0].read { db throws(Problem) in
            try db.schedules.list().map(\.name)
        }
        #expect(left == ["tick", "tock"])
    }

    // MARK: Counts

    private static func count(_ cost: Int64, of user: UserID, on node: Node) async throws {
        let now = node.appliance.clock.now()
        for _ in 0..<cost {
            var review = Review()
            guard let shared = node.appliance.gatekeeper.shared else {
                _ = try await node.appliance.gatekeeper.admit(
                    user, Demand(metric: "requests"), at: now, &review)
                continue
            }
            // As if Redis had said so.
            let standing = Standing(planSlug: "free", rules: .none, expiresAt: nil)
            var customer = Customer(standing: standing)
            _ = customer.admit(Demand(metric: "requests"), at: now, &review)
            #expect(shared.places.write(review.bookings, of: user, in: nil))
        }
    }

    private static func total(_ store: any Database) async throws -> Int64 {
        try await store.read { db throws(Problem) in
            try db.count(
                "SELECT coalesce(sum(value), 0) FROM usage_counters WHERE granularity = 'month'")
        }
    }

    @Test(
        "What nodes counted is in the store once, also when they are killed and change their mode")
    func counts() async throws {
        let url = try PostgresDatabase.make()
        let folders = try (0..<2).map { _ in try TemporaryFolder() }
        var random = SplitMix64(seed: 7)
        let clock = FakeClock()
        let now = clock.now
        let account = Account(
            id: ID(at: now, using: &random), email: EmailAddress(canonical: "a@example.com"),
            name: nil, role: .user, createdAt: now, updatedAt: now)
        var expected: Int64 = 0
        // Alone, beside each other, alone in the other folder, and so on; nobody ends well.
        let turns: [([Int], Bool)] = [
            ([0], false), ([0, 1], true), ([0, 1], true), ([1], false), ([0], false),
            ([1, 0], true), ([1], false), ([0, 1], true),
        ]
        for (round, (present, isShared)) in turns.enumerated() {
            let nodes = try present.map {
                try Node(url, folder: folders[$0], isShared: isShared, clock: clock)
            }
            for node in nodes { try await node.appliance.prepare() }
            if round == 0 {
                let appliance = nodes[0].appliance
                try await nodes[0].store.write { db throws(Problem) in
                    _ = try appliance.insert(account, passwordHash: nil, db, at: now)
                }
            }
            for (index, node) in nodes.enumerated() {
                // Some in a batch that is folded, some not.
                let cost = Int64(index + 1)
                try await Self.count(cost, of: account.id, on: node)
                try await node.appliance.checkpoint()
                try await Self.count(cost, of: account.id, on: node)
                expected += 2 * cost
            }
            for node in nodes { node.close() }
        }
        let last = try folders.map { try Node(url, folder: $0, clock: clock) }
        for node in last { try await node.appliance.prepare() }
        #expect(try await Self.total(last[0].store) == expected)
        for node in last { node.close() }
    }
}
