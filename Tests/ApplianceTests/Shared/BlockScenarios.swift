import Domain
import Store
import Support
import Testing

@testable import Appliance

/// Customers who ask for so much that nodes are lent blocks.
@Suite(
    "Blocks that nodes are lent", .serialized, .enabled(if: PostgresDatabase.isWanted),
    .timeLimit(.minutes(3)))
struct BlockScenarios {
    /// Asks on all nodes at once until each has been refused, or has been granted `most`.
    private func race(
        _ nodes: [SharedNode], _ user: UserID, clients: Int = 24, most: Int64 = .max
    ) async throws -> Int64 {
        try await withThrowingTaskGroup(of: Int64.self) { group in
            for number in 0..<clients {
                let node = nodes[number % nodes.count]
                group.addTask {
                    var granted: Int64 = 0
                    while granted < most {
                        switch await node.ask(user)?.code {
                        case nil: granted += 1
                        case .quotaExceeded, .rateLimited: return granted
                        case .unavailable: try await Task.sleep(for: .milliseconds(5))
                        case let code:
                            Issue.record("\(String(describing: code))")
                            return granted
                        }
                    }
                    return granted
                }
            }
            return try await group.reduce(0, +)
        }
    }

    private func granted(_ nodes: [SharedNode]) -> UInt64 {
        nodes.reduce(0) { $0 + $1.customers.blocks.grants.current }
    }

    @Test("Most demands are granted in memory, every unit is, and none twice")
    func exact() async throws {
        try await SharedNode.site { site in
            try await site.run(3) { nodes in
                let ann = try await nodes[0].customer([
                    ("requests_per_month", 12_000), ("requests_per_minute", 1_000_000),
                ])
                #expect(try await race(nodes, ann) == 12_000)
                #expect(granted(nodes) > 6000, "\(granted(nodes))")
                for node in nodes { try await node.appliance.checkpoint() }
                #expect(try await nodes[1].stored(ann) == 12_000)
                #expect(try await nodes[2].used(ann) == 12_000)
                #expect(nodes.allSatisfy { $0.customers.disagreements.current == 0 })
            }
        }
    }

    @Test("A rate is one for all nodes, whatever each of them was lent of it")
    func rates() async throws {
        try await SharedNode.site { site in
            try await site.run(2) { nodes in
                let ann = try await nodes[0].customer([("requests_per_minute", 30_000)])
                let began = ContinuousClock.now
                let granted = try await race(nodes, ann)
                let drained = Int64((ContinuousClock.now - began) / .milliseconds(2)) + 1
                // Each of the clients left at its first refusal.
                #expect((30_000...30_000 + drained).contains(granted))
                #expect(self.granted(nodes) > 15_000)
            }
        }
    }

    @Test("What another node was lent and has not used is granted at once to who needs it")
    func recalled() async throws {
        try await SharedNode.site { site in
            try await site.run(2) { nodes in
                let ann = try await nodes[0].customer([("requests_per_month", 10_000)])
                #expect(try await race([nodes[0]], ann, clients: 4, most: 250) == 1000)
                #expect(await nodes[1].ask(ann, 9000) == nil)
                #expect(nodes[0].customers.blocks.current == 0)
                for node in nodes { #expect(await node.ask(ann)?.code == .quotaExceeded) }
            }
        }
    }

    @Test("The same where the message is lost: then it has what is left a second later")
    func unheard() async throws {
        try await SharedNode.site { site in
            var site = site
            site.hears = false
            try await site.run(2) { nodes in
                let ann = try await nodes[0].customer([("requests_per_month", 10_000)])
                #expect(try await race([nodes[0]], ann, clients: 4, most: 250) == 1000)
                #expect(await nodes[1].ask(ann, 9000) == nil)
                for node in nodes { #expect(await node.ask(ann)?.code == .quotaExceeded) }
            }
        }
    }

    @Test("What a node was lent that is gone counts as used, and the rest is granted")
    func lost() async throws {
        try await SharedNode.site { site in
            try await site.run(2) { nodes in
                let ann = try await nodes[0].customer([("requests_per_month", 2000)])
                #expect(await nodes[0].ask(ann) == nil)
                try await lend(100, to: ann, by: nodes[0])
                #expect(try await race(nodes, ann) == 1899)
                #expect(try await nodes[1].used(ann) == 2000)
            }
        }
    }

    @Test("It counts as used for who only reads it, too")
    func lostAndRead() async throws {
        try await SharedNode.site { site in
            try await site.run(1) { nodes in
                let ann = try await nodes[0].customer([("requests_per_month", 2000)])
                #expect(await nodes[0].ask(ann) == nil)
                try await lend(100, to: ann, by: nodes[0])
                var used: Int64 = 0
                for _ in 0..<5 where used < 101 { used = try await nodes[0].used(ann) }
                #expect(used == 101)
            }
        }
    }

    /// To a node that is not heard of again.
    private func lend(_ amount: Int64, to user: UserID, by node: SharedNode) async throws {
        var random = SystemRandomNumberGenerator()
        let id: BlockID = ID(at: node.appliance.clock.now(), using: &random)
        let lent = try await node.customers.edit(user) { customer, now in
            customer.lend(
                amount, of: "requests", key: nil, id: id, at: now,
                until: now + SharedBlocks.patience)
        }
        #expect(lent?.0.amount == amount)
    }

    @Test("A node that reads what is used asks the others first")
    func reported() async throws {
        try await SharedNode.site { site in
            try await site.run(2) { nodes in
                let ann = try await nodes[0].customer([("requests_per_month", 100_000)])
                for round in 1...5 {
                    let node = nodes[round % 2]
                    #expect(try await race([node], ann, clients: 2, most: 500) == 1000)
                    for node in nodes {
                        #expect(try await node.used(ann) == 1000 * Int64(round))
                    }
                }
                #expect(granted(nodes) > 2000)
            }
        }
    }

    @Test("Another plan holds from the next demand on, also for what was lent under the one before")
    func planChanged() async throws {
        try await SharedNode.site { site in
            try await site.run(1) { nodes in
                let node = nodes[0]
                let ann = try await node.customer([("requests_per_month", 100_000)])
                #expect(try await race(nodes, ann, clients: 2, most: 500) == 1000)
                #expect(granted(nodes) > 0)
                let limits = #"{"requests_per_month":1000}"#
                _ = try await node.appliance.store.write { db throws(Problem) in
                    try db.execute("UPDATE plans SET limits_json = \(limits)")
                }
                node.gatekeeper.standingChanged(of: ann)
                #expect(await node.ask(ann)?.code == .quotaExceeded)
            }
        }
    }

    @Test("An emptied Redis ends every block, and each unit that was granted of one counts")
    func emptied() async throws {
        try await SharedNode.site { site in
            try await site.run(2) { nodes in
                let ann = try await nodes[0].customer([("requests_per_month", 20_000)])
                let (first, others) = try await withThrowingTaskGroup(of: Int64.self) { group in
                    group.addTask { try await race(nodes, ann, clients: 8) }
                    for _ in 0..<3 {
                        try await Task.sleep(for: .milliseconds(200))
                        let former = nodes[0].customers.epoch.current.name
                        _ = try await nodes[0].customers.redis.send(RedisCommand("FLUSHALL"))
                        for node in nodes { try await node.customers.isOpen(after: former) }
                    }
                    return (try await group.reduce(0, +), try await race(nodes, ann))
                }
                #expect(first + others <= 20_000)
                for node in nodes { try await node.appliance.checkpoint() }
                #expect(try await nodes[0].stored(ann) == first + others)
                #expect(granted(nodes) > 1000)
            }
        }
    }

    @Test("Where it is not wished, every demand asks Redis")
    func off() async throws {
        try await SharedNode.site { site in
            var site = site
            site.blocks = false
            try await site.run(2) { nodes in
                let ann = try await nodes[0].customer([("requests_per_month", 100_000)])
                #expect(try await race(nodes, ann, clients: 4, most: 100) == 400)
                #expect(granted(nodes) == 0)
            }
        }
    }
}
