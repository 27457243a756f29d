import Domain
import Store
import Support
import Testing

@testable import Appliance

@Suite(
    "Limits that nodes share", .serialized, .enabled(if: PostgresDatabase.isWanted),
    .timeLimit(.minutes(3)))
struct SharedLimitTests {
    @Test("Of 64 that race on three nodes for the last thousand units, a thousand are granted")
    func lastThousand() async throws {
        try await SharedNode.site { site in
            try await site.run(3) { nodes in
                let ann = try await nodes[0].customer([("requests_per_month", 1000)])
                let granted = try await withThrowingTaskGroup(of: Int64.self) { group in
                    for number in 0..<64 {
                        let node = nodes[number % 3]
                        group.addTask {
                            var granted: Int64 = 0
                            while true {
                                guard let refusal = await node.ask(ann) else {
                                    granted += 1
                                    continue
                                }
                                #expect(refusal.code == .quotaExceeded, "\(refusal)")
                                return granted
                            }
                        }
                    }
                    return try await group.reduce(0, +)
                }
                #expect(granted == 1000)
                for node in nodes { try await node.appliance.checkpoint() }
                #expect(try await nodes[1].stored(ann) == 1000)
                #expect(try await nodes[2].used(ann) == 1000)
                #expect(nodes.allSatisfy { $0.customers.disagreements.current == 0 })
            }
        }
    }

    @Test("A rate is one for all nodes")
    func rates() async throws {
        try await SharedNode.site { site in
            try await site.run(2) { nodes in
                let ann = try await nodes[0].customer([("requests_per_minute", 60)])
                var granted = 0
                let began = ContinuousClock.now
                for number in 0..<90 {
                    if await nodes[number % 2].ask(ann) == nil { granted += 1 }
                }
                let drained = Int((ContinuousClock.now - began) / .seconds(1)) + 1
                #expect((60...60 + drained).contains(granted))
            }
        }
    }

    @Test("Of leases that race on three nodes, as many live as the plan allows")
    func leases() async throws {
        try await SharedNode.site { site in
            try await site.run(3) { nodes in
                let ann = try await nodes[0].customer([("concurrent_jobs", 5)])
                let end = nodes[0].appliance.clock.now() + .seconds(60)
                let refusals = await withTaskGroup(of: Problem?.self) { group in
                    for number in 0..<48 {
                        let node = nodes[number % 3]
                        group.addTask { await node.take(node.lease(ann, until: end)) }
                    }
                    return await group.reduce(into: []) { $0.append($1) }
                }
                #expect(refusals.count { $0 == nil } == 5)
                #expect(refusals.allSatisfy { $0 == nil || $0?.code == .concurrencyExceeded })
                let now = nodes[1].appliance.clock.now()
                let inUse = try await nodes[1].gatekeeper.look(ann, at: now) {
                    $0.inUse("jobs", at: $1)
                }
                #expect(inUse == 5)
            }
        }
    }

    @Test("What one node has reserved, another commits, and the store has what it came to")
    func reservations() async throws {
        try await SharedNode.site { site in
            try await site.run(2) { nodes in
                let ann = try await nodes[0].customer([("words_per_month", 100)])
                let now = nodes[0].appliance.clock.now()
                var random = SystemRandomNumberGenerator()
                let held = Reservation(
                    id: ID(at: now, using: &random), userID: ann, keyID: nil, metric: "words",
                    amount: 80, createdAt: now, expiresAt: now + .seconds(60))
                var review = Review()
                _ = try await nodes[0].gatekeeper.decided(ann, at: now, &review) {
                    $0.reserve(held, at: $2, &$1)
                }
                #expect(await nodes[1].ask(ann, 21, of: "words")?.code == .quotaExceeded)
                _ = try await nodes[1].gatekeeper.decided(ann, at: now, &review) {
                    $0.commit(held.id, 30, at: $2, &$1)
                }
                #expect(await nodes[0].ask(ann, 70, of: "words") == nil)
                #expect(await nodes[1].ask(ann, 1, of: "words")?.code == .quotaExceeded)
            }
        }
    }

    @Test("A grant that is given back on its node is room on all, and is not in the store")
    func givenBack() async throws {
        try await SharedNode.site { site in
            try await site.run(2) { nodes in
                let ann = try await nodes[0].customer([
                    ("requests_per_month", 1), ("max_items", 1),
                ])
                let now = nodes[0].appliance.clock.now()
                let demand = Demand(metric: Demand.requests, resource: Item.resource)
                var review = Review()
                let acceptance = try await nodes[0].gatekeeper.admit(
                    ann, demand, at: now, &review)
                #expect(await nodes[1].ask(ann)?.code == .quotaExceeded)
                await nodes[0].gatekeeper.giveBack(
                    ann, demand, key: nil, review.bookings, after: acceptance)
                try await nodes[0].appliance.checkpoint()
                #expect(try await nodes[0].stored(ann) == 0)
                _ = try await nodes[1].gatekeeper.admit(ann, demand, at: now, &review)
                let report = try await nodes[0].gatekeeper.report(ann, at: now)
                #expect(report.stocks.first?.count == 1)
            }
        }
    }

    @Test("What was counted of a revoked key goes from the state that all share")
    func revokedKey() async throws {
        try await SharedNode.site { site in
            try await site.run(2) { nodes in
                let ann = try await nodes[0].customer([("requests_per_month", 10)])
                let appliance = nodes[0].appliance
                let now = appliance.clock.now()
                var random = SystemRandomNumberGenerator()
                let limits = try Limits(
                    json: .object([JSON.Member("requests_per_month", .integer(3))]))
                let key = APIKey(
                    id: ID(at: now, using: &random), userID: ann, name: "k", publicID: "\(ann)",
                    lastFour: "last", secretHash: [1], scopes: Scopes(words: "gate"),
                    limits: limits, createdAt: now)
                try await appliance.store.write { db throws(Problem) in
                    try db.apiKeys.insert(key)
                }
                var review = Review()
                _ = try await nodes[1].gatekeeper.admit(
                    ann, Demand(metric: "requests", cost: 2),
                    key: Customer.KeyRules(id: key.id, rules: Ruleset(limits)), at: now, &review)
                func known() async throws -> [APIKeyID] {
                    try await nodes[1].gatekeeper.look(ann, at: now) { customer, _ in
                        Array(customer.keys.keys)
                    }
                }
                #expect(try await known() == [key.id])
                let outcome = try await appliance.forgetKey(
                    JobRun(
                        id: ID(at: now, using: &random), payload: ForgottenKey(key),
                        createdAt: now, attempt: 1, now: now))
                #expect(outcome == .done)
                #expect(try await known() == [])
                #expect(try await nodes[1].used(ann) == 2)
            }
        }
    }

    @Test("A plan that has changed holds on each node that hears of it")
    func plans() async throws {
        try await SharedNode.site { site in
            try await site.run(2) { nodes in
                let ann = try await nodes[0].customer([("requests_per_month", 2)])
                for node in nodes { #expect(await node.ask(ann) == nil) }
                let now = nodes[0].appliance.clock.now()
                let wider = try Limits(
                    json: .object([JSON.Member("requests_per_month", .integer(3))]))
                let plan = try await nodes[0].appliance.store.write { db throws(Problem) in
                    guard var plan = try db.plans.find(slug: "plan-\(ann)") else {
                        throw Problem.notFound("plan")
                    }
                    plan.limits = wider
                    plan.updatedAt = now
                    try db.plans.update(plan)
                    return plan
                }
                nodes[0].gatekeeper.setRules(of: plan)
                nodes[1].gatekeeper.standingsChanged(on: plan.slug)
                #expect(await nodes[1].ask(ann) == nil)
                #expect(await nodes[0].ask(ann)?.code == .quotaExceeded)
            }
        }
    }

    @Test("The nodes have one time, and none of their own")
    func time() async throws {
        try await SharedNode.site { site in
            try await site.run(2) { nodes in
                // As if the clock of one had been set: its next decision is refused, and put right.
                let wrong = nodes[0].customers.clock.now + .seconds(-3600)
                nodes[0].customers.clock.follow(wrong, roundTrip: .zero)
                let ann = try await nodes[1].customer([("requests_per_hour", 10)])
                #expect(await nodes[0].ask(ann) == nil)
                let apart = nodes[0].customers.clock.now - nodes[1].customers.clock.now
                #expect(abs(apart.wholeMilliseconds) < 500)
            }
        }
    }
}
