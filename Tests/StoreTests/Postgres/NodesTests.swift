import Domain
import Support
import Synchronization
import Testing

@testable import Store

/// Two nodes on one database, writing at once: what only an engine with several writers can get
/// wrong. Without the turn that writes take (`beginWriting`) all fail, but that of reading.
@Suite("Several nodes on one PostgreSQL", .enabled(if: Engine.wanted.contains(.postgres)))
struct NodesTests {
    /// Each is another race.
    private static let seeds = [UInt64](1...10)

    /// Runs a body on each of two nodes, as often as it is told to, all at once. The values.
    private static func race<Value: Sendable>(
        _ times: Int = 8, _ nodes: [PostgresStore],
        _ body: @escaping @Sendable (any Connection, Int) throws(Problem) -> Value
    ) async throws -> [Value] {
        try await withThrowingTaskGroup(of: Value.self) { group in
            for number in 0..<times {
                for (index, node) in nodes.enumerated() {
                    group.addTask {
                        try await node.write { db throws(Problem) in
                            try body(db, number * nodes.count + index)
                        }
                    }
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
    }

    private static func withNodes(
        _ body: ([PostgresStore]) async throws -> Void
    ) async throws {
        try await PostgresServer.shared.with { lent in
            let other = try PostgresStore(url: lent.url, readerCount: 1)
            defer { other.close() }
            try await body([lent.store, other])
        }
    }

    @Test("The audit chain holds, however many append to it")
    func chain() async throws {
        try await Self.withNodes { nodes in
            let now = Sample().now
            _ = try await Self.race(50, nodes) { db, number throws(Problem) in
                try db.audit.append(
                    AuditEvent(action: "a\(number)", actor: .shell, target: "b"), at: now)
            }
            let walk = try await nodes[0].read { db throws(Problem) in
                var walk = AuditWalk()
                while !walk.isOver { try walk.step(db) }
                return walk
            }
            #expect(walk.broken == nil)
            #expect(walk.rows == 100)
        }
    }

    @Test(
        "Of two admins that take each other's role away at once, one stays",
        arguments: seeds)
    func lastAdmin(seed: UInt64) async throws {
        try await Self.withNodes { nodes in
            var sample = Sample(seed: seed)
            let admins = [sample.account(role: .admin), sample.account(role: .admin)]
            for admin in admins { try await nodes[0].insert(admin) }
            let isDone = try await Self.race(1, nodes) { db, number throws(Problem) -> Bool in
                // As routes do it: look, decide, write.
                var admin = admins[number]
                guard try db.accounts.activeAdmins(besides: admin.id) > 0 else { return false }
                admin.role = .user
                return try db.accounts.update(admin)
            }
            #expect(isDone.count { $0 } == 1)
            let left = try await nodes[1].count("SELECT count(*) FROM users WHERE role = 'admin'")
            #expect(left == 1)
        }
    }

    @Test("A refresh token that is used on two nodes at once is used once", arguments: seeds)
    func rotation(seed: UInt64) async throws {
        try await Self.withNodes { nodes in
            var sample = Sample(seed: seed)
            let account = sample.account()
            let session = sample.session(of: account.id)
            let token = sample.token(of: session)
            try await nodes[0].insert(account)
            try await nodes[0].write { db throws(Problem) in
                try db.sessions.insert(session)
                try db.sessions.insert(token, userAgent: nil, address: nil)
            }
            let rotated = try await Self.race(8, nodes) { db, _ throws(Problem) in
                guard var found = try db.sessions.find(tokenHash: token.hash)?.session,
                    found.generation == token.generation
                else { return false }
                found.generation += 1
                try db.sessions.update(found)
                return true
            }
            #expect(rotated.count { $0 } == 1)
        }
    }

    @Test("A customer has one active subscription, whoever begins one")
    func subscriptions() async throws {
        try await Self.withNodes { nodes in
            var sample = Sample()
            let account = sample.account()
            let plan = sample.plan("free")
            let now = sample.now
            try await nodes[0].insert(account)
            try await nodes[0].insert(plan)
            let begun = try await Self.race(8, nodes) { db, _ throws(Problem) in
                try db.subscribe(account.id, to: plan, expiresAt: nil, at: now)
            }
            #expect(Set(begun.map(\.id)).count == 16)
            let active = try await nodes[0].count(
                "SELECT count(*) FROM subscriptions WHERE status = 'active'")
            #expect(active == 1)
        }
    }

    @Test("Fencing tokens are given once, a job is claimed once, a due time has one job")
    func once() async throws {
        try await Self.withNodes { nodes in
            var sample = Sample()
            let account = sample.account()
            try await nodes[0].insert(account)
            let ids: [LeaseID] = (0..<16).map { _ in sample.id() }
            let now = sample.now
            let tokens = try await Self.race(8, nodes) { db, number throws(Problem) in
                try db.leases.insert(
                    ids[number], of: account.id, key: nil, resource: "jobs", at: now,
                    expiresAt: now + .seconds(60)
                ).fencingToken
            }
            #expect(tokens.sorted() == Array(1...16))

            for number in 0..<20 {
                try await nodes[number % 2].write { db throws(Problem) in
                    _ = try db.jobs.enqueue("mail", payload: .null, attemptsMax: 3, at: now)
                }
            }
            let claims = try await Self.race(8, nodes) { db, number throws(Problem) in
                try db.jobs.claim(
                    "mail", atMost: 2, owner: "\(number)", until: now + .seconds(60), at: now)
            }.flatMap { $0 }
            #expect(claims.count == 20)
            #expect(Set(claims.map(\.job.id)).count == 20)

            try await nodes[0].write { db throws(Problem) in
                try db.schedules.set("clean_up", spec: "@every 5m", nextAt: now)
            }
            let fired = try await Self.race(4, nodes) { db, _ throws(Problem) in
                for due in try db.schedules.due(at: now) {
                    let next = now + .seconds(300)
                    return try db.schedules.fire(due, attemptsMax: 1, next: next, at: now) != nil
                }
                return false
            }
            #expect(fired.count { $0 } == 1)
        }
    }

    @Test("An item past the limit is refused, whichever nodes they come to")
    func itemLimit() async throws {
        try await Self.withNodes { nodes in
            var sample = Sample()
            let account = sample.account()
            try await nodes[0].insert(account)
            let items = (0..<16).map { _ in sample.item(of: account.id) }
            let kept = try await Self.race(8, nodes) { db, number throws(Problem) in
                guard try db.items.count(of: account.id) < 5 else { return false }
                try db.items.insert(items[number])
                return true
            }
            #expect(kept.count { $0 } == 5)
        }
    }

    @Test("What one node has committed, the other reads at once")
    func visible() async throws {
        try await Self.withNodes { nodes in
            for number in 0..<20 {
                let (writing, reading) = (nodes[number % 2], nodes[1 - number % 2])
                try await writing.write { db throws(Problem) in
                    try db.installation.set("number", String(number))
                }
                let read = try await reading.read { db throws(Problem) in
                    try db.installation.value("number")
                }
                #expect(read == String(number))
            }
        }
    }

    @Test("Nodes that start at once on an empty database make one schema")
    func migrating() async throws {
        let url = try PostgresDatabase.make()
        let nodes = try await withThrowingTaskGroup(of: PostgresStore.self) { group in
            for _ in 0..<4 { group.addTask { try PostgresStore(url: url, readerCount: 1) } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        defer { for node in nodes { node.close() } }
        let versions = try await nodes[0].numbers("SELECT version FROM schema_version")
        #expect(versions == [Int64(Migration.all.count)])
    }
}
