import Domain
import Support
import Synchronization
import Testing

@testable import Appliance
@testable import Store

@Suite("Throttles that several daemons share", .timeLimit(.minutes(2)))
struct SharedThrottleTests {
    /// Two daemons on one Redis and one store.
    private struct Pair: Sendable {
        let first: Throttle
        let second: Throttle
        let store: SQLiteStore
        let rigs: [RedisRig]

        var both: [Throttle] { [first, second] }
    }

    private static func run(_ body: (RedisServer, Pair) async throws -> Void) async throws {
        let folder = try TemporaryFolder()
        let store = try SQLiteStore(file: "\(folder.path)/gatehouse.db")
        defer { store.close() }
        try await RedisServer.run { server async throws in
            try await RedisRig.run(server.url) { one async throws in
                try await RedisRig.run(server.url) { other async throws in
                    let throttles = [one, other].map { rig in
                        Throttle(
                            isEnabled: true, in: store, shared: SharedRates(redis: rig.client))
                    }
                    try await body(
                        server,
                        Pair(
                            first: throttles[0], second: throttles[1], store: store,
                            rigs: [one, other]))
                }
            }
        }
    }

    /// How many of that many tries at once pass, the throttles taking turns.
    private static func passed(
        _ count: Int, of throttles: [Throttle],
        _ take: @escaping @Sendable (Throttle) async throws(Problem) -> Void
    ) async -> Int {
        await withTaskGroup(of: Bool.self) { group in
            for number in 0..<count {
                let throttle = throttles[number % throttles.count]
                group.addTask {
                    do throws(Problem) {
                        try await take(throttle)
                        return true
                    } catch {
                        #expect(error.code == .rateLimited, "\(error)")
                        return false
                    }
                }
            }
            return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
        }
    }

    private static let now = WallClock.system.now()

    private static let guess: @Sendable (Throttle) async throws(Problem) -> Void = {
        throttle throws(Problem) in
        try await throttle.take(Throttle.Guess.login, "ann", at: now)
    }

    private static let mail: @Sendable (Throttle) async throws(Problem) -> Void = {
        throttle throws(Problem) in
        try await throttle.take(.mailByAccount, "ann", at: now)
    }

    @Test("two daemons let as many guesses pass as one does, whoever is asked and when")
    func guesses() async throws {
        try await Self.run { _, pair async throws in
            #expect(await Self.passed(120, of: pair.both, Self.guess) == 10)
            // And a rate: five mails an hour.
            #expect(await Self.passed(60, of: pair.both, Self.mail) == 5)
        }
    }

    @Test("the wait is the same on each of them")
    func waits() async throws {
        try await Self.run { _, pair async throws in
            #expect(await Self.passed(10, of: [pair.first], Self.guess) == 10)
            do throws(Problem) {
                try await Self.guess(pair.second)
                Issue.record("not refused")
            } catch {
                let wait = try #require(error.retryAfter)
                #expect(wait > .seconds(80) && wait <= .seconds(90), "\(wait)")
            }
        }
    }

    @Test("a success at one is a success at all")
    func forgiven() async throws {
        try await Self.run { _, pair async throws in
            #expect(await Self.passed(9, of: [pair.first], Self.guess) == 9)
            await pair.second.forgive(.login, "ann", at: Self.now)
            #expect(await Self.passed(20, of: pair.both, Self.guess) == 10)
        }
    }

    @Test("a success is what the store keeps, though the guess was counted by Redis's later clock")
    func forgivenInTheStore() async throws {
        try await Self.run { _, pair async throws in
            func save() async throws {
                let entries = pair.first.takeUnsaved()
                try await pair.store.write { db throws(Problem) in
                    try db.rateStates.save(entries)
                }
                pair.first.didSave(entries)
            }
            #expect(await Self.passed(9, of: [pair.first], Self.guess) == 9)
            try await save()
            await pair.first.forgive(.login, "ann", at: Self.now)
            try await save()
            let kept = try await pair.store.read { db throws(Problem) in
                try db.rateStates.load(RateStates.runs)
            }
            #expect(kept.map(\.rate.backlog) == [0])
        }
    }

    @Test("while Redis is away each goes on from what it knew, and never lets everybody pass")
    func away() async throws {
        try await Self.run { server, pair async throws in
            #expect(await Self.passed(6, of: [pair.first], Self.guess) == 6)
            #expect(await Self.passed(1, of: [pair.second], Self.guess) == 1)
            await server.kill()
            for rig in pair.rigs { try await rig.isAway() }
            #expect(await Self.passed(20, of: [pair.second], Self.guess) == 3)
            #expect(await Self.passed(20, of: [pair.first], Self.guess) == 4)
        }
    }

    @Test("a Redis that has forgotten everything is told what was counted")
    func restarted() async throws {
        try await Self.run { server, pair async throws in
            #expect(await Self.passed(8, of: [pair.first], Self.guess) == 8)
            let former = try await pair.rigs[0].server()
            await server.kill()
            try await server.start()
            for rig in pair.rigs { try await rig.server(after: former) }
            #expect(await Self.passed(20, of: [pair.first], Self.guess) == 2)
            #expect(await Self.passed(20, of: pair.both, Self.guess) == 0)
        }
    }

    @Test("a daemon that knows nothing of it takes it from the store")
    func fromTheStore() async throws {
        let kept = RateLimiter(backlog: 9, updatedAt: Self.now)
        try await RedisServer.run { server async throws in
            try await RedisRig.run(server.url) { rig async throws in
                let folder = try TemporaryFolder()
                let store = try SQLiteStore(file: "\(folder.path)/gatehouse.db")
                defer { store.close() }
                func throttle() -> Throttle {
                    Throttle(
                        isEnabled: true, in: store, shared: SharedRates(redis: rig.client))
                }
                let former = throttle()
                #expect(await Self.passed(1, of: [former], Self.guess) == 1)
                let name = try #require(former.takeUnsaved().first?.name)
                _ = try await rig.send("FLUSHALL")
                try await store.write { db throws(Problem) in
                    try db.rateStates.save([
                        RateStates.Entry(subject: RateStates.runs, name: name, rate: kept)
                    ])
                }
                #expect(await Self.passed(20, of: [throttle()], Self.guess) == 1)
            }
        }
    }
}
