import Domain
import Store
import Testing

@Suite("Usage counters")
struct UsageContract {
    private static func save(
        _ entries: [UsageCounters.Entry], in db: any Database
    ) async throws {
        try await db.write { db throws(Problem) in try db.usage.save(entries) }
    }

    private static func current(
        of account: Account, at now: Timestamp, in db: any Database
    ) async throws -> [UsageCounters.Entry] {
        try await db.read { db throws(Problem) in try db.usage.current(of: account.id, at: now) }
    }

    @Test("Every counter comes back as it was written, the account's before its keys'")
    func roundTrip() async throws {
        try await withStore { db in
            var sample = Sample()
            let account = sample.account()
            let other = sample.account()
            let key: APIKeyID = sample.id()
            let entries = [
                sample.counter(of: account.id, "calls", .day, value: 0),
                sample.counter(of: account.id, "calls", .hour, value: .max),
                sample.counter(of: account.id, "requests", .month, value: 7),
                sample.counter(of: account.id, "calls", .day, value: 3, key: key),
            ]
            let foreign = sample.counter(of: other.id, value: 9)
            try await db.insert(account, other)
            try await Self.save(entries.reversed() + [foreign], in: db)
            let now = sample.now
            #expect(try await Self.current(of: account, at: now, in: db) == entries)
            #expect(try await Self.current(of: other, at: now, in: db) == [foreign])
        }
    }

    @Test("Values are absolute: writing one twice changes nothing, a newer one replaces it")
    func absolute() async throws {
        try await withStore { db in
            var sample = Sample()
            let account = sample.account()
            let now = sample.now
            let first = sample.counter(of: account.id, value: 5)
            let lower = sample.counter(of: account.id, value: 4)
            try await db.insert(account)
            for _ in 0..<3 { try await Self.save([first], in: db) }
            #expect(try await Self.current(of: account, at: now, in: db) == [first])
            try await Self.save([lower], in: db)
            #expect(try await Self.current(of: account, at: now, in: db) == [lower])
        }
    }

    @Test("The counters of an account that was deleted meanwhile are passed over, others are kept")
    func deleted() async throws {
        try await withStore { db in
            var sample = Sample()
            let account = sample.account()
            let gone = sample.account()
            let kept = sample.counter(of: account.id, value: 2)
            let lost = sample.counter(of: gone.id, value: 1)
            try await db.insert(account)
            try await Self.save([lost, kept, lost], in: db)
            #expect(try await db.count("SELECT count(*) FROM usage_counters") == 1)
            #expect(try await Self.current(of: account, at: sample.now, in: db) == [kept])
        }
    }

    @Test("Current are the windows that hold the moment, and no others")
    func windows() async throws {
        try await withStore { db in
            var sample = Sample()
            let account = sample.account()
            try await db.insert(account)
            let noon = try #require(Timestamp("2026-11-30T23:30:00.000Z"))
            let next = noon + .seconds(3600)
            for moment in [noon, next] {
                try await Self.save(
                    Window.allCases.map {
                        sample.counter(of: account.id, "calls", $0, value: 1, at: moment)
                    }, in: db)
            }
            for moment in [noon, next] {
                let found = try await Self.current(of: account, at: moment, in: db)
                #expect(found.map(\.tally.window) == [.day, .hour, .month])
                for entry in found {
                    #expect(entry.tally.index == entry.tally.window.index(of: moment))
                }
            }
            let later = try await Self.current(of: account, at: next + .seconds(3600), in: db)
            #expect(later.map(\.tally.window) == [.day, .month])
        }
    }

    @Test("The history is the account's own, of one metric and window, the oldest first")
    func history() async throws {
        try await withStore { db in
            var sample = Sample()
            let account = sample.account()
            let other = sample.account()
            try await db.insert(account, other)
            func at(_ day: Int64) -> Timestamp { sample.now + .seconds(day * 86_400) }
            var entries = (Int64(0)...5).map {
                sample.counter(of: account.id, value: $0, at: at($0))
            }
            entries.shuffle(using: &sample.random)
            entries += [
                sample.counter(of: account.id, "calls", value: 90, at: at(2)),
                sample.counter(of: account.id, "requests", .hour, value: 91, at: at(2)),
                sample.counter(of: account.id, value: 92, key: sample.id(), at: at(2)),
                sample.counter(of: other.id, value: 93, at: at(2)),
            ]
            try await Self.save(entries, in: db)
            func period(_ day: Int64) -> String {
                Window.day.period(Window.day.index(of: at(day)))
            }
            let (from, to) = (period(1), period(3))
            let found = try await db.read { db throws(Problem) in
                try db.usage.history(
                    of: account.id, metric: "requests", window: .day, from: from, to: to)
            }
            #expect(found.map(\.period) == (Int64(1)...3).map(period))
            #expect(found.map(\.value) == [1, 2, 3])
        }
    }

    @Test("The top consumers run from the largest; ties by id; keys and other metrics are out")
    func top() async throws {
        try await withStore { db in
            var sample = Sample()
            var accounts: [Account] = []
            for _ in 0..<5 { accounts.append(sample.account()) }
            for account in accounts { try await db.insert(account) }
            let values: [Int64] = [3, 9, 3, 1, 7]
            var entries = zip(accounts, values).map { sample.counter(of: $0.id, value: $1) }
            entries += [
                sample.counter(of: accounts[3].id, "calls", value: 99),
                sample.counter(of: accounts[3].id, "requests", .hour, value: 99),
                sample.counter(of: accounts[3].id, value: 99, key: sample.id()),
                sample.counter(
                    of: accounts[3].id, value: 99, at: sample.now + .seconds(86_400)),
            ]
            try await Self.save(entries, in: db)
            let period = Window.day.period(Window.day.index(of: sample.now))
            let (top, total, none) = try await db.read { db throws(Problem) in
                (
                    try db.usage.top(metric: "requests", window: .day, period: period, limit: 4),
                    try db.usage.total(metric: "requests", window: .day, period: period),
                    try db.usage.total(metric: "nothing", window: .day, period: period)
                )
            }
            let order = [1, 4, 0, 2]
            #expect(top.map(\.user) == order.map { accounts[$0].id })
            #expect(top.map(\.value) == order.map { values[$0] })
            #expect(top.map(\.email) == order.map { accounts[$0].email.description })
            #expect(total == 23 && none == 0)
        }
    }
}
