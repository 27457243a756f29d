import Domain
import Testing

@testable import Store

@Suite("Idempotency keys", .onEveryEngine)
struct IdempotencyKeysTests {
    private let store: RecordStore
    private let now = RecordStore.now
    private let day = IdempotencyKeys.kept

    init() async throws { store = try await RecordStore() }

    private func entry(
        _ hash: UInt8, owner: String = "user:1", status: Int = 201, at moment: Timestamp? = nil
    ) -> IdempotencyKeys.Entry {
        IdempotencyKeys.Entry(
            owner: owner, keyHash: [hash, 0, 255], fingerprint: [9, hash], status: status,
            headers: .object([JSON.Member("content-type", .string("application/json"))]),
            sealedBody: status == 204 ? [] : [1, 2, 3], createdAt: moment ?? now)
    }

    private func insert(
        _ entry: IdempotencyKeys.Entry, at moment: Timestamp = RecordStore.now
    ) async throws -> Bool {
        try await store.write { [day] db throws(Problem) in
            try db.idempotencyKeys.insert(entry, unlessNewerThan: moment - day)
        }
    }

    private func find(
        _ hash: UInt8, owner: String = "user:1", at moment: Timestamp = RecordStore.now
    ) async throws -> IdempotencyKeys.Entry? {
        try await store.read { [day] db throws(Problem) in
            try db.idempotencyKeys.find(
                owner: owner, keyHash: [hash, 0, 255], newerThan: moment - day)
        }
    }

    @Test("An answer comes back as it was kept, also one without a body, to its owner alone")
    func roundTrip() async throws {
        for entry in [entry(1), entry(2, status: 204)] {
            #expect(try await insert(entry))
            #expect(try await find(entry.keyHash[0]) == entry)
            #expect(try await find(entry.keyHash[0], owner: "user:2") == nil)
        }
    }

    @Test("The first answer stays while it is new, and an old one gives way")
    func replaces() async throws {
        #expect(try await insert(entry(1)))
        #expect(try await !insert(entry(1, status: 202)))
        let last = now + day - .milliseconds(1)
        #expect(try await find(1, at: last) == entry(1))
        #expect(try await !insert(entry(1, status: 202, at: last), at: last))
        let end = now + day
        #expect(try await find(1, at: end) == nil)
        #expect(try await insert(entry(1, status: 202, at: end), at: end))
        #expect(try await find(1, at: end)?.status == 202)
    }

    @Test("Of 64 that keep an answer at once, one does")
    func race() async throws {
        let entry = entry(1)
        let count = try await store.winners { [now, day] db throws(Problem) in
            try db.idempotencyKeys.insert(entry, unlessNewerThan: now - day)
        }
        #expect(count == 1)
    }

    @Test("Old answers are pruned, so many at a time; an owner's can be removed")
    func prune() async throws {
        for number in UInt8(0)..<5 {
            #expect(try await insert(entry(number, at: now + .seconds(Int(number)))))
        }
        let moment = now + .seconds(3)
        for expected in [2, 1, 0] {
            let count = try await store.write { db throws(Problem) in
                try db.idempotencyKeys.prune(createdBefore: moment, atMost: 2)
            }
            #expect(count == expected)
        }
        #expect(try await insert(entry(1, owner: "user:2")))
        try await store.write { db throws(Problem) in
            try db.idempotencyKeys.removeAll(of: "user:1")
        }
        #expect(try await store.count("idempotency_keys") == 1)
    }
}
