import Domain
import Support
import Testing

@testable import Appliance

@Suite(
    "Limits when Redis goes and comes", .serialized, .enabled(if: PostgresDatabase.isWanted),
    .timeLimit(.minutes(3)))
struct RedisLossTests {
    @Test("Without Redis the answer is 503, and the next server goes on from what was counted")
    func killed() async throws {
        try await SharedNode.site { site in
            try await site.run(2) { nodes in
                let ann = try await nodes[0].customer([("requests_per_month", 100)])
                for number in 0..<60 { #expect(await nodes[number % 2].ask(ann) == nil) }
                // In the counter files, and nowhere else.
                #expect(try await nodes[0].stored(ann) == 0)
                let former = nodes[0].customers.epoch.current.name
                await site.redis.kill()
                for node in nodes {
                    try await node.isAway()
                    let refusal = await node.ask(ann)
                    #expect(refusal?.code == .unavailable)
                    #expect(refusal?.retryAfter == .seconds(1))
                }
                try await site.redis.start()
                for node in nodes { try await node.customers.isOpen(after: former) }
                try await expectRest(40, of: ann, nodes)
            }
        }
    }

    @Test("A server that was emptied while it ran is another memory")
    func emptied() async throws {
        try await SharedNode.site { site in
            try await site.run(2) { nodes in
                let ann = try await nodes[0].customer([("requests_per_month", 100)])
                for number in 0..<60 { #expect(await nodes[number % 2].ask(ann) == nil) }
                let former = nodes[0].customers.epoch.current.name
                _ = try await nodes[0].customers.redis.send(RedisCommand("FLUSHALL"))
                #expect(await nodes[1].ask(ann)?.code == .unavailable)
                for node in nodes { try await node.customers.isOpen(after: former) }
                try await expectRest(40, of: ann, nodes)
            }
        }
    }

    @Test("While requests go on, servers that come and go let no more pass than the plan allows")
    func underLoad() async throws {
        try await SharedNode.site { site in
            try await site.run(3) { nodes in
                let ann = try await nodes[0].customer([("requests_per_month", 3000)])
                let granted = try await withThrowingTaskGroup(of: Int64.self) { group in
                    for number in 0..<12 {
                        let node = nodes[number % 3]
                        group.addTask {
                            var granted: Int64 = 0
                            while true {
                                switch await node.ask(ann)?.code {
                                case nil: granted += 1
                                case .quotaExceeded: return granted
                                default: try await Task.sleep(for: .milliseconds(5))
                                }
                            }
                        }
                    }
                    group.addTask {
                        for _ in 0..<3 {
                            try await Task.sleep(for: .milliseconds(300))
                            await site.redis.kill()
                            try await site.redis.start()
                        }
                        return 0
                    }
                    return try await group.reduce(0, +)
                }
                // A grant that was lost on its way back is counted and was not given.
                #expect(granted <= 3000)
                for node in nodes { try await node.appliance.checkpoint() }
                #expect(try await nodes[0].stored(ann) == granted)
            }
        }
    }

    @Test("A lease that is let go while Redis is away is free when it is back")
    func owed() async throws {
        try await SharedNode.site { site in
            try await site.run(2) { nodes in
                let ann = try await nodes[0].customer([("concurrent_jobs", 1)])
                let end = nodes[0].appliance.clock.now() + .seconds(60)
                let lease = nodes[0].lease(ann, until: end)
                #expect(await nodes[0].take(lease) == nil)
                site.redis.pause()
                let now = nodes[0].appliance.clock.now()
                await nodes[0].gatekeeper.correct(ann, .byID, at: now) { customer, now in
                    _ = customer.release(lease.id, fencingToken: 0, at: now)
                }
                #expect(nodes[0].customers.lines.owes(ann))
                site.redis.resume()
                while nodes[0].customers.lines.owes(ann) {
                    try await Task.sleep(for: .milliseconds(5))
                }
                #expect(await nodes[1].take(nodes[1].lease(ann, until: end)) == nil)
            }
        }
    }

    @Test("Rates alone are decided without Redis where that is wished, and are counted")
    func open() async throws {
        try await SharedNode.site { site in
            var open = site
            open.rates = "open"
            try await open.run(1) { nodes in
                let node = nodes[0]
                let ann = try await node.customer([("requests_per_minute", 20)])
                let bob = try await node.customer([("requests_per_month", 20)])
                for _ in 0..<5 { #expect(await node.ask(ann) == nil) }
                #expect(await node.ask(bob) == nil)
                site.redis.pause()
                for _ in 0..<5 { #expect(await node.ask(ann) == nil) }
                #expect(await node.ask(ann, 20)?.code == .rateLimited)
                #expect(await node.ask(bob)?.code == .unavailable)
                site.redis.resume()
                while node.customers.lines.owes(ann) { try await Task.sleep(for: .milliseconds(5)) }
                #expect(try await node.used(ann) >= 10)
                try await node.appliance.checkpoint()
                #expect(try await node.stored(ann) == 10)
            }
        }
    }

    @Test("What a killed node had counted counts, and is in the store when it comes again")
    func killedNode() async throws {
        try await SharedNode.site { site in
            try await site.run(1) { nodes in
                let ann = try await nodes[0].customer([("requests_per_month", 20)])
                let folder = try TemporaryFolder()
                try await SharedNode.run(site, folder: folder) { killed in
                    for _ in 0..<10 { #expect(await killed.ask(ann) == nil) }
                }
                for _ in 0..<5 { #expect(await nodes[0].ask(ann) == nil) }
                #expect(await nodes[0].ask(ann, 6)?.code == .quotaExceeded)
                try await nodes[0].appliance.checkpoint()
                #expect(try await nodes[0].stored(ann) == 5)
                try await SharedNode.run(site, folder: folder) { again async throws in
                    #expect(try await again.stored(ann) == 15)
                    #expect(await again.ask(ann, 6)?.code == .quotaExceeded)
                    #expect(await again.ask(ann, 5) == nil)
                }
            }
        }
    }

    @Test("A node that was down while Redis was emptied brings what it had counted")
    func killedNodeAndRedis() async throws {
        try await SharedNode.site { site in
            try await site.run(1) { nodes in
                let ann = try await nodes[0].customer([("requests_per_month", 20)])
                let folder = try TemporaryFolder()
                try await SharedNode.run(site, folder: folder) { killed in
                    for _ in 0..<10 { #expect(await killed.ask(ann) == nil) }
                }
                let former = nodes[0].customers.epoch.current.name
                _ = try await nodes[0].customers.redis.send(RedisCommand("FLUSHALL"))
                // The dead node is waited for, as long as it may only be slow.
                try await nodes[0].customers.isOpen(after: former)
                for _ in 0..<5 { #expect(await nodes[0].ask(ann) == nil) }
                try await SharedNode.run(site, folder: folder) { again async throws in
                    while again.customers.lines.owes(ann) {
                        try await Task.sleep(for: .milliseconds(5))
                    }
                    #expect(try await again.used(ann) == 15)
                    #expect(await again.ask(ann, 6)?.code == .quotaExceeded)
                }
            }
        }
    }

    private func expectRest(
        _ rest: Int, of user: UserID, _ nodes: [SharedNode]
    ) async throws {
        var granted = 0
        while await nodes[granted % nodes.count].ask(user) == nil { granted += 1 }
        #expect(granted == rest)
        for node in nodes { try await node.appliance.checkpoint() }
        #expect(try await nodes[0].stored(user) == 100)
    }
}
