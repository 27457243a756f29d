import Domain
import Store
import Support
import Testing

@testable import Appliance

@Suite("What hangs on Redis", .timeLimit(.minutes(2)))
struct RedisPartsTests {
    @Test("readyz names Redis while it is away, and nothing when it is back")
    func readiness() async throws {
        let folder = try TemporaryFolder()
        let store = try SQLiteStore(file: "\(folder.path)/gatehouse.db")
        defer { store.close() }
        try await RedisServer.run { server async throws in
            try await RedisRig.run(server.url) { rig async throws in
                let clock = FakeClock()
                let readiness = Readiness(
                    store: store, directory: folder.path, clock: clock.wall,
                    sharing: Readiness.sharing(rig.client, nil, nil))
                #expect(await readiness.reasons() == [])
                await server.kill()
                try await rig.isAway()
                clock.advance(.seconds(1))
                #expect(await readiness.reasons() == ["Redis is away"])
                try await server.start()
                try await rig.server()
                clock.advance(.seconds(1))
                #expect(await readiness.reasons() == [])
            }
        }
    }

    @Test("jobs that one daemon has enqueued wake the runner of another at once")
    func jobNews() async throws {
        try await RedisServer.run { server async throws in
            try await RedisRig.run(server.url) { one async throws in
                try await RedisRig.run(server.url) { other async throws in
                    let (committed, woken) = (Wake(), Wake())
                    let news = [
                        JobNews(
                            redis: one.client, committed: committed, enqueued: Wake(),
                            logger: one.log.logger),
                        JobNews(
                            redis: other.client, committed: Wake(), enqueued: woken,
                            logger: other.log.logger),
                    ]
                    try await withThrowingTaskGroup(of: Void.self) { group in
                        for service in news { group.addTask { try await service.run() } }
                        // It listens: something may have been missed before it did.
                        await woken.wait()
                        for _ in 0..<3 {
                            committed.set()
                            await woken.wait()
                        }
                        group.cancelAll()
                        try await group.waitForAll()
                    }
                }
            }
        }
    }

    @Test("what was sent, refused and lost is measured")
    func metrics() async throws {
        try await RedisServer.run { server async throws in
            try await RedisRig.run(server.url) { rig async throws in
                let meter = rig.client.meter
                let former = meter.roundTrips.counts.count
                _ = try await rig.send("PING")
                #expect(await rig.failure("NONSENSE") != nil)
                let lost = rig.put("BLPOP", "nothing", "0")
                await server.kill()
                for await result in lost { #expect(result.isAway) }
                let counts = Dictionary(uniqueKeysWithValues: meter.commands.map { ($0, $1) })
                #expect(counts["error"] == 1)
                #expect(counts["lost"] ?? 0 >= 1)
                #expect(meter.roundTrips.counts.count >= former + 2)
                #expect(meter.connectionsMade >= 1)
            }
        }
    }
}
