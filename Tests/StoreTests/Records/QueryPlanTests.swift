import Domain
import Synchronization
import Testing

@testable import Store

/// Runs everything on the connection behind it, and keeps how SQLite would go about it.
private final class PlanReader: Connection {
    private let inner: any Connection
    private(set) var steps: [(statement: String, step: String)] = []

    init(_ inner: any Connection) { self.inner = inner }

    private func explain(_ sql: SQL) throws(Problem) {
        let found = try inner.rows("EXPLAIN QUERY PLAN \(sql)") { row throws(Problem) in
            _ = try row.integer()
            _ = try row.integer()
            _ = try row.integer()
            return try row.text()
        }
        steps += found.map { (sql.text, $0) }
    }

    func rows<Value>(
        _ sql: SQL, _ decode: (inout Row) throws(Problem) -> Value
    ) throws(Problem) -> [Value] {
        try explain(sql)
        return try inner.rows(sql, decode)
    }

    func execute(_ sql: SQL) throws(Problem) -> Int {
        try explain(sql)
        return try inner.execute(sql)
    }
}

@Suite("Query plans of the service calls")
struct QueryPlanTests {
    @Test("No statement reads a whole table or sorts what it has found")
    func plans() async throws {
        let store = try await RecordStore()
        let now = RecordStore.now
        let user = store.user
        let steps = try await store.write { db throws(Problem) in
            let reader = PlanReader(db)
            try Self.leases(reader, user, now)
            try Self.reservations(reader, user, now)
            try Self.usage(reader, user, now)
            try Self.answers(reader, now)
            return reader.steps
        }
        #expect(steps.count > 20)
        for (statement, step) in steps {
            let isSlow = step.contains("SCAN") || step.contains("TEMP B-TREE")
            #expect(!isSlow, "\(step): \(statement)")
        }
    }

    @Test("Deleting a user reads none of the new tables whole")
    func cascade() async throws {
        let store = try await RecordStore()
        // The plan of a cascade is not shown; its look-up is this one.
        let plans = try await store.read { [user = store.user] db throws(Problem) in
            let reader = PlanReader(db)
            _ = try reader.count("SELECT count(*) FROM leases WHERE user_id = \(user)")
            _ = try reader.count("SELECT count(*) FROM reservations WHERE user_id = \(user)")
            _ = try reader.count("SELECT count(*) FROM usage_events WHERE user_id = \(user)")
            return reader.steps.map(\.step)
        }
        #expect(plans.count == 3)
        for plan in plans { #expect(plan.hasPrefix("SEARCH"), "\(plan)") }
    }

    private static func leases(
        _ db: any Connection, _ user: UserID, _ now: Timestamp
    ) throws(Problem) {
        let lease = try db.leases.insert(
            .sample(1), of: user, key: nil, resource: "jobs", at: now, expiresAt: now)
        _ = try db.leases.find(lease.id, of: user)
        _ = try db.leases.live(of: user, at: now)
        _ = try db.leases.renew(lease.id, of: user, fencingToken: 1, until: now, at: now)
        _ = try db.leases.release(lease.id, of: user, fencingToken: 1, at: now)
        _ = try db.leases.prune(endedBefore: now, atMost: 10)
    }

    private static func reservations(
        _ db: any Connection, _ user: UserID, _ now: Timestamp
    ) throws(Problem) {
        let held = Reservation(
            id: .sample(1), userID: user, keyID: nil, metric: "m", amount: 1, createdAt: now,
            expiresAt: now)
        try db.reservations.insert(held)
        _ = try db.reservations.find(held.id, of: user)
        _ = try db.reservations.live(of: user, at: now)
        _ = try db.reservations.settle(held.id, of: user, as: .released, at: now)
        _ = try db.reservations.prune(endedBefore: now, atMost: 10)
    }

    private static func usage(
        _ db: any Connection, _ user: UserID, _ now: Timestamp
    ) throws(Problem) {
        _ = try db.usage.fold([UsageDelta(key: .sample(1), value: 1)], batch: 1)
        _ = try db.usageEvents.record(
            [.init(id: "a", user: user, key: nil, metric: "m", value: 1, at: now)], at: now)
        _ = try db.usageEvents.prune(recordedBefore: now, atMost: 10)
    }

    private static func answers(_ db: any Connection, _ now: Timestamp) throws(Problem) {
        let entry = IdempotencyKeys.Entry(
            owner: "user:1", keyHash: [1], fingerprint: [2], status: 200, headers: .null,
            sealedBody: [], createdAt: now)
        _ = try db.idempotencyKeys.insert(entry, unlessNewerThan: now)
        _ = try db.idempotencyKeys.find(owner: "user:1", keyHash: [1], newerThan: now)
        _ = try db.idempotencyKeys.prune(createdBefore: now, atMost: 10)
        try db.idempotencyKeys.removeAll(of: "user:1")
    }
}
