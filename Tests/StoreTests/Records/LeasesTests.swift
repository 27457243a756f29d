import Domain
import Testing

@testable import Store

@Suite("Leases", .onEveryEngine)
struct LeasesTests {
    private let store: RecordStore
    private let now = RecordStore.now

    init() async throws { store = try await RecordStore() }

    private func insert(
        _ number: UInt64, seconds: Int64 = 60, key: APIKeyID? = nil, resource: String = "jobs"
    ) async throws -> Lease {
        try await store.write { [user = store.user, now] db throws(Problem) in
            try db.leases.insert(
                .sample(number), of: user, key: key, resource: resource, at: now,
                expiresAt: now + .seconds(seconds))
        }
    }

    @Test("A lease comes back as it was given, with or without a key")
    func roundTrip() async throws {
        for lease in [try await insert(1), try await insert(2, key: .sample(9))] {
            let found = try await store.read { [store] db throws(Problem) in
                (
                    try db.leases.find(lease.id, of: store.user),
                    try db.leases.find(lease.id, of: store.other)
                )
            }
            #expect(found.0 == lease)
            #expect(found.1 == nil)
        }
    }

    @Test("Fencing tokens only grow, also past leases that are gone and units that failed")
    func fencing() async throws {
        #expect(try await insert(1).fencingToken == 1)
        #expect(try await insert(2).fencingToken == 2)
        try await store.deleteUser()
        try await store.db.insertUser(store.user)
        // Its user is gone: nothing of it is kept, the number neither.
        await #expect(throws: Problem.self) {
            try await store.write { [now] db throws(Problem) in
                _ = try db.leases.insert(
                    .sample(3), of: .sample(77), key: nil, resource: "jobs", at: now,
                    expiresAt: now)
            }
        }
        #expect(try await insert(4).fencingToken == 3)
    }

    @Test("64 leases given at once have 64 fencing tokens")
    func fencingRace() async throws {
        let tokens = try await withThrowingTaskGroup(of: Int64.self) { group in
            for number in 1...64 {
                group.addTask { try await insert(UInt64(number)).fencingToken }
            }
            return try await group.reduce(into: Set()) { $0.insert($1) }
        }
        #expect(tokens == Set(1...64))
    }

    @Test("Only its holder renews a lease, and only while it runs")
    func renew() async throws {
        let lease = try await insert(1)
        func renew(
            user: UserID? = nil, token: Int64? = nil, at moment: Timestamp
        ) async throws -> Lease? {
            let user = user ?? store.user
            let token = token ?? lease.fencingToken
            return try await store.write { db throws(Problem) in
                try db.leases.renew(
                    lease.id, of: user, fencingToken: token, until: moment + .seconds(90),
                    at: moment)
            }
        }
        #expect(try await renew(user: store.other, at: now) == nil)
        #expect(try await renew(token: lease.fencingToken + 1, at: now) == nil)
        #expect(try await renew(at: lease.expiresAt) == nil)
        let renewed = try await renew(at: lease.expiresAt - .milliseconds(1))
        #expect(renewed?.expiresAt == lease.expiresAt + .milliseconds(89_999))
        #expect(renewed?.fencingToken == lease.fencingToken)
        #expect(try await renew(at: lease.expiresAt) != nil)
    }

    @Test("Of 64 that release a lease at once, one does; a stranger or a late one never")
    func release() async throws {
        let lease = try await insert(1)
        func release(
            _ user: UserID, _ token: Int64, at moment: Timestamp
        ) async throws -> Int {
            try await store.winners { db throws(Problem) in
                try db.leases.release(lease.id, of: user, fencingToken: token, at: moment)
                    == lease
            }
        }
        #expect(try await release(store.other, lease.fencingToken, at: now) == 0)
        #expect(try await release(store.user, lease.fencingToken + 1, at: now) == 0)
        #expect(try await release(store.user, lease.fencingToken, at: lease.expiresAt) == 0)
        #expect(try await release(store.user, lease.fencingToken, at: now) == 1)
        #expect(try await store.count("leases") == 0)
    }

    @Test("Those that run are listed, the first to end first")
    func live() async throws {
        let long = try await insert(1, seconds: 60)
        let short = try await insert(2, seconds: 30)
        let same = try await insert(3, seconds: 60)
        _ = try await insert(4, seconds: 0)
        let found = try await store.read { [store, now] db throws(Problem) in
            (
                try db.leases.live(of: store.user, at: now),
                try db.leases.live(of: store.other, at: now)
            )
        }
        #expect(found.0 == [short, long, same])
        #expect(found.1.isEmpty)
    }

    @Test("What has ended is pruned, so many at a time, and what runs stays")
    func prune() async throws {
        for number in UInt64(1)...5 { _ = try await insert(number, seconds: Int64(number)) }
        let moment = now + .seconds(4)
        for expected in [2, 1, 0] {
            let count = try await store.write { db throws(Problem) in
                try db.leases.prune(endedBefore: moment, atMost: 2)
            }
            #expect(count == expected)
        }
        #expect(try await store.count("leases") == 2)
    }
}
