import Domain
import Testing

@testable import Store

@Suite("Old usage", .onEveryEngine)
struct UsagePruneTests {
    @Test("Counters of accounts and of keys before a period go, so many at a time; the rest stays")
    func prune() async throws {
        let store = try await RecordStore()
        let now = RecordStore.now
        try await store.write { [user = store.user, other = store.other] db throws(Problem) in
            var deltas: [UsageDelta] = []
            for hours in Int64(0)..<6 {
                let hour = Window.hour.index(of: now) - hours
                for (user, key) in [(user, nil), (user, APIKeyID.sample(9)), (other, nil)] {
                    deltas.append(
                        UsageDelta(
                            key: UsageDelta.Key(user: user, key: key, metric: "tokens", hour: hour),
                            value: 1))
                }
            }
            try db.usage.add(deltas)
        }
        let hours: SQL = "SELECT count(*) FROM usage_counters WHERE granularity = 'hour'"
        let others: SQL = "SELECT sum(value) FROM usage_counters WHERE granularity <> 'hour'"
        let before = try await store.db.count(others)
        let period = Window.hour.period(Window.hour.index(of: now) - 2)
        // Three hours are older, each with two accounts and one key.
        for expected in [2 + 2, 2 + 1, 2, 0] {
            let count = try await store.write { db throws(Problem) in
                try db.usage.prune(.hour, before: period, atMost: 2)
            }
            #expect(count == expected)
        }
        #expect(try await store.db.count(hours) == 9)
        let oldest = try await store.db.texts(
            "SELECT min(period) FROM usage_counters WHERE granularity = 'hour'")
        #expect(oldest == [period])
        #expect(try await store.db.count(others) == before)
    }
}
