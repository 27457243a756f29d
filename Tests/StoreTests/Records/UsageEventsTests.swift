import Domain
import Testing

@testable import Store

@Suite("Usage events", .onEveryEngine)
struct UsageEventsTests {
    private let store: RecordStore
    private let now = RecordStore.now

    init() async throws { store = try await RecordStore() }

    private func event(
        _ id: String, _ value: Int64 = 1, user: UserID? = nil, key: APIKeyID? = nil
    ) -> UsageEvents.Event {
        UsageEvents.Event(
            id: id, user: user ?? store.user, key: key, metric: "tokens", value: value, at: now)
    }

    private func record(
        _ events: [UsageEvents.Event], at moment: Timestamp = RecordStore.now
    ) async throws -> [Bool] {
        try await store.write { db throws(Problem) in
            try db.usageEvents.record(events, at: moment)
        }
    }

    private func used(_ user: UserID? = nil, key: APIKeyID? = nil) async throws -> [Int64] {
        let user = user ?? store.user
        return try await store.read { [now] db throws(Problem) in
            try db.usage.current(of: user, at: now).filter { $0.key == key }.map(\.tally.value)
        }
    }

    @Test("An event is counted once, however often it is reported, in one call or in many")
    func once() async throws {
        let events = [event("a", 5), event("b", 7), event("a", 5)]
        #expect(try await record(events) == [true, true, false])
        #expect(try await record([event("b", 7), event("c", 1)]) == [false, true])
        #expect(try await used() == [13, 13, 13])
    }

    @Test("An id is one customer's own")
    func owners() async throws {
        let other = store.other
        #expect(try await record([event("a", 5), event("a", 6, user: other)]) == [true, true])
        #expect(try await used() == [5, 5, 5])
        #expect(try await used(other) == [6, 6, 6])
    }

    @Test("With a key it is counted for the account and for the key")
    func keys() async throws {
        #expect(try await record([event("a", 5, key: .sample(3)), event("b", 1)]) == [true, true])
        #expect(try await used() == [6, 6, 6])
        #expect(try await used(key: .sample(3)) == [5, 5, 5])
    }

    @Test("Of 64 that report the same event at once, one is told that it is new")
    func race() async throws {
        let events = [event("a", 5)]
        let count = try await store.winners { [now] db throws(Problem) in
            try db.usageEvents.record(events, at: now) == [true]
        }
        #expect(count == 1)
        #expect(try await used() == [5, 5, 5])
    }

    @Test("A report that fails is neither kept nor counted")
    func failure() async throws {
        let events = [event("a", 5), event("b", -1)]
        await #expect(throws: Problem.self) { try await record(events) }
        #expect(try await used() == [])
        #expect(try await record([event("a", 5)]) == [true])
    }

    @Test("Events do not disturb the number of the last batch")
    func batches() async throws {
        _ = try await record([event("a")])
        let folded = try await store.read { db throws(Problem) in try db.usage.foldMark().batch }
        #expect(folded == 0)
    }

    @Test("An event of a customer who is gone is passed over")
    func goneUser() async throws {
        #expect(try await record([event("a", user: .sample(77)), event("b")]) == [false, true])
    }

    @Test("Old ids are pruned, so many at a time; their counts stay")
    func prune() async throws {
        for number in 0..<5 {
            _ = try await record([event("\(number)")], at: now + .seconds(number))
        }
        let moment = now + .seconds(3)
        for expected in [2, 1, 0] {
            let count = try await store.write { db throws(Problem) in
                try db.usageEvents.prune(recordedBefore: moment, atMost: 2)
            }
            #expect(count == expected)
        }
        #expect(try await store.count("usage_events") == 2)
        #expect(try await used() == [5, 5, 5])
    }
}
