import Domain
import Store
import Testing

@Suite("Usage counters")
struct UsageContract {
    private static func add(_ deltas: [UsageDelta], in db: any Database) async throws {
        try await db.write { db throws(Problem) in try db.usage.add(deltas) }
    }

    private static func current(
        of account: Account, at now: Timestamp, in db: any Database
    ) async throws -> [UsageCounters.Entry] {
        try await db.read { db throws(Problem) in try db.usage.current(of: account.id, at: now) }
    }

    /// What `current` gives of one delta's key, by the order of the windows' names.
    private static func entries(_ delta: UsageDelta) -> [UsageCounters.Entry] {
        let key = delta.key
        return [Window.day, .hour, .month].map { window in
            UsageCounters.Entry(
                user: key.user, key: key.key,
                tally: Tally.Entry(
                    metric: key.metric, window: window,
                    index: window.index(of: Window.hour.start(of: key.hour)), value: delta.value))
        }
    }

    @Test("Every counter comes back as it was counted, the account's before its keys'")
    func roundTrip() async throws {
        try await withStore { db in
            var sample = Sample()
            let account = sample.account()
            let other = sample.account()
            let deltas = [
                sample.delta(of: account.id, 0, "calls"),
                sample.delta(of: account.id, JSON.integerMax, "requests"),
                sample.delta(of: account.id, 7, "zebras '; --"),
                sample.delta(of: account.id, 3, "calls", key: sample.id()),
            ]
            let foreign = sample.delta(of: other.id, 9)
            try await db.insert(account, other)
            try await Self.add(deltas.reversed() + [foreign], in: db)
            let now = sample.now
            #expect(
                try await Self.current(of: account, at: now, in: db)
                    == deltas.flatMap(Self.entries))
            #expect(try await Self.current(of: other, at: now, in: db) == Self.entries(foreign))
        }
    }

    @Test("What was counted of a key comes back until a minute after it was revoked")
    func revoked() async throws {
        try await withStore { db in
            var sample = Sample()
            let account = sample.account()
            let key = sample.key(of: account.id)
            let deltas = [
                sample.delta(of: account.id, 4, "calls"),
                sample.delta(of: account.id, 3, "calls", key: key.id),
            ]
            try await db.insert(account)
            let now = sample.now
            try await db.write { db throws(Problem) in
                try db.apiKeys.insert(key)
                try db.usage.add(deltas)
                _ = try db.apiKeys.revoke(key.id, at: now - .milliseconds(59_999))
            }
            #expect(
                try await Self.current(of: account, at: now, in: db)
                    == deltas.flatMap(Self.entries))
            let later = now + .milliseconds(1)
            #expect(
                try await Self.current(of: account, at: later, in: db) == Self.entries(deltas[0]))
        }
    }

    @Test("What is added without a batch is added each time")
    func again() async throws {
        try await withStore { db in
            var sample = Sample()
            let account = sample.account()
            let delta = sample.delta(of: account.id, 5)
            try await db.insert(account)
            for _ in 0..<3 { try await Self.add([delta, delta], in: db) }
            let expected = sample.delta(of: account.id, 30)
            #expect(
                try await Self.current(of: account, at: sample.now, in: db)
                    == Self.entries(expected))
        }
    }

    @Test("Current are the windows that hold the moment, and no others")
    func windows() async throws {
        try await withStore { db in
            var sample = Sample()
            let account = sample.account()
            try await db.insert(account)
            let last = try #require(Timestamp("2026-11-30T23:30:00.000Z"))
            let next = last + .seconds(3600)
            let deltas = [
                sample.delta(of: account.id, 1, "calls", at: last),
                sample.delta(of: account.id, 2, "calls", at: next),
            ]
            try await Self.add(deltas, in: db)
            for (moment, delta) in zip([last, next], deltas) {
                let found = try await Self.current(of: account, at: moment, in: db)
                #expect(found == Self.entries(delta))
                for entry in found {
                    #expect(entry.tally.index == entry.tally.window.index(of: moment))
                }
            }
            let later = try await Self.current(of: account, at: next + .seconds(3600), in: db)
            #expect(later.map(\.tally.window) == [.day, .month])
            #expect(later.map(\.tally.value) == [2, 2])
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
            var deltas = (Int64(0)...5).map { sample.delta(of: account.id, $0, at: at($0)) }
            deltas.append(sample.delta(of: account.id, 40, at: at(2) + .seconds(3600)))
            deltas.shuffle(using: &sample.random)
            deltas += [
                sample.delta(of: account.id, 90, "calls", at: at(2)),
                sample.delta(of: account.id, 92, key: sample.id(), at: at(2)),
                sample.delta(of: other.id, 93, at: at(2)),
            ]
            try await Self.add(deltas, in: db)
            func history(
                _ window: Window, from first: Timestamp, to last: Timestamp
            ) async throws -> [UsageCounters.Point] {
                let (from, to) = (
                    window.period(window.index(of: first)), window.period(window.index(of: last))
                )
                return try await db.read { db throws(Problem) in
                    try db.usage.history(
                        of: account.id, metric: "requests", window: window, from: from, to: to)
                }
            }
            let days = try await history(.day, from: at(1), to: at(3))
            #expect(
                days.map(\.period)
                    == (1...3).map { Window.day.period(Window.day.index(of: at($0))) })
            #expect(days.map(\.value) == [1, 42, 3])
            let hours = try await history(.hour, from: at(2), to: at(3) - .seconds(3600))
            #expect(hours.map(\.value) == [2, 40])
            let months = try await history(.month, from: at(0), to: at(5))
            #expect(months.map(\.period) == ["2026-11"] && months.map(\.value) == [55])
        }
    }

    @Test("The history has what is not folded yet, and what the store has of it by now only once")
    func unfolded() async throws {
        try await withStore { db in
            var sample = Sample()
            let accounts = [sample.account(), sample.account()].sorted { $0.id < $1.id }
            for account in accounts { try await db.insert(account) }
            let (first, last) = (accounts[0].id, accounts[1].id)
            let day = Window.day.index(of: sample.now)
            let lastHour = sample.now + .seconds(3600)
            // Batch 1 is whole in the store, batch 2 up to the first account, batch 3 is open.
            let counted = (UInt64(1)...3).flatMap { batch in
                accounts.flatMap { account in
                    [
                        sample.delta(of: account.id, Int64(batch)),
                        sample.delta(of: account.id, Int64(batch) * 10, at: lastHour),
                        sample.delta(of: account.id, 7, "calls"),
                        sample.delta(of: account.id, 7, key: sample.id()),
                    ].map { UnfoldedUse(batch: batch, delta: $0) }
                }
            }
            let whole = counted.filter { $0.batch == 1 }.map(\.delta)
            let part = counted.filter { $0.batch == 2 && $0.delta.key.user == first }.map(\.delta)
            try await db.write { db throws(Problem) in
                _ = try db.usage.fold(whole, batch: 1)
                _ = try db.usage.fold(part, batch: 2, through: first)
            }
            for user in [first, last] {
                let points = try await db.read { db throws(Problem) in
                    try db.usage.history(
                        of: user, metric: "requests", window: .hour,
                        from: Window.hour.period(day * 24), to: Window.hour.period(day * 24 + 47),
                        unfolded: counted)
                }
                #expect(points.map(\.value) == [6, 60])
                #expect(points.map(\.period) == points.map(\.period).sorted())
                // What lies before the end of the range stays in it.
                let until = try await db.read { [now = sample.now] db throws(Problem) in
                    try db.usage.history(
                        of: user, metric: "requests", window: .hour,
                        from: Window.hour.period(day * 24),
                        to: Window.hour.period(Window.hour.index(of: now)), unfolded: counted)
                }
                #expect(until.map(\.value) == [6])
            }
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
            var deltas = zip(accounts, values).map { sample.delta(of: $0.id, $1) }
            let small = accounts[3].id
            deltas += [
                sample.delta(of: small, 99, "calls"),
                sample.delta(of: small, 99, key: sample.id()),
                sample.delta(of: small, 99, at: sample.now + .seconds(86_400)),
            ]
            try await Self.add(deltas, in: db)
            func look(
                _ window: Window, _ metric: String
            ) async throws -> (top: [UsageCounters.Consumer], total: Int64) {
                let period = window.period(window.index(of: sample.now))
                return try await db.read { db throws(Problem) in
                    (
                        try db.usage.top(metric: metric, window: window, period: period, limit: 4),
                        try db.usage.total(metric: metric, window: window, period: period)
                    )
                }
            }
            for window in [Window.hour, .day] {
                let (top, total) = try await look(window, "requests")
                let order = [1, 4, 0, 2]
                #expect(top.map(\.user) == order.map { accounts[$0].id }, "\(window)")
                #expect(top.map(\.value) == order.map { values[$0] }, "\(window)")
                #expect(top.map(\.metric) == order.map { _ in "requests" }, "\(window)")
                #expect(
                    top.map(\.email) == order.map { accounts[$0].email.description }, "\(window)")
                #expect(total == 23, "\(window)")
            }
            let month = try await look(.month, "requests")
            #expect(month.top.map(\.value) == [100, 9, 7, 3] && month.total == 122)
            let none = try await look(.day, "nothing")
            #expect(none.top.isEmpty && none.total == 0)
        }
    }
}
