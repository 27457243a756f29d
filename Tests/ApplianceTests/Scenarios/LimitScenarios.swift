import Domain
import Store
import Support
import Testing

@testable import Appliance

@Suite("Limits over time")
struct LimitScenarios {
    @Test("at Retry-After a request passes, and a millisecond before the exact time it does not")
    func exactRetry() async throws {
        try await TestServer.run { server async throws in
            let ann = try await server.person()
            try await server.subscribe(ann, to: [("requests_per_minute", 7)])
            for _ in 0..<7 {
                #expect(try await server.get("/gate", ann.token).status == 200)
            }
            let refused = try await server.get("/gate", ann.token)
            #expect(refused.code == "rate_limited")
            // A seventh of a minute is 8571.43 ms: at 8572 a whole request has come back.
            #expect(refused.retryAfter == 9)
            server.clock.advance(.milliseconds(8571))
            #expect(try await server.get("/gate", ann.token).status == 429)
            server.clock.advance(.milliseconds(1))
            #expect(try await server.get("/gate", ann.token).status == 200)
        }
    }

    @Test("a monthly quota is fresh in the first moment of the next month, and history keeps both")
    func monthEnds() async throws {
        let clock = FakeClock("2028-02-29T23:59:59.999Z")
        try await TestServer.run(clock: clock) { server async throws in
            let ann = try await server.person()
            try await server.subscribe(ann, to: [("requests_per_month", 2)])
            for status in [200, 200, 429] {
                #expect(try await server.get("/gate", ann.token).status == status)
            }
            clock.advance(.milliseconds(1))
            #expect(try await server.get("/gate", ann.token).status == 200)
            let history = try await server.get(
                "/usage/history?granularity=month&from=2028-02&to=2028-03", ann.token)
            let values = history.json["items"]?.elements.map { $0["value"]?.number }
            #expect(values == [2, 1])
        }
    }

    @Test("a clock that steps back hands out no second quota")
    func clockStepsBack() async throws {
        let clock = FakeClock("2026-11-01T00:00:10.000Z")
        try await TestServer.run(clock: clock) { server async throws in
            let ann = try await server.person()
            try await server.subscribe(ann, to: [("requests_per_month", 1)])
            #expect(try await server.get("/gate", ann.token).status == 200)
            clock.turn(to: "2026-10-31T23:59:50.000Z")
            #expect(try await server.get("/gate", ann.token).status == 429)
        }
    }

    @Test("a subscription that runs out falls back to the default plan at its time")
    func subscriptionEnds() async throws {
        try await TestServer.run { server async throws in
            let ann = try await server.person()
            let id = try #require(UserID(ann.id))
            let end = server.clock.now + .seconds(300)
            let now = server.clock.now
            let standing = try await server.appliance.store.write { db throws(Problem) in
                guard let pro = try db.plans.find(slug: "pro") else {
                    throw Problem.notFound("pro")
                }
                _ = try db.subscribe(id, to: pro, expiresAt: end, at: now)
                return try server.appliance.gatekeeper.standing(of: id, db)
            }
            server.appliance.standingChanged(id, standing)
            #expect(try await server.get("/gate", ann.token).json["plan"] == .string("pro"))
            server.clock.advance(.seconds(300))
            let gate = try await server.get("/gate", ann.token)
            #expect(gate.status == 200)
            let me = try await server.get("/me", ann.token)
            #expect(me.json["plan"] == .string("free"))
            let subscription = try await server.get("/subscription", ann.token)
            #expect(subscription.json["status"] == .string("active"))
        }
    }

    @Test("a rotated key's old secret works to the end of the overlap")
    func overlap() async throws {
        try await TestServer.run { server async throws in
            let ann = try await server.person()
            let made = try await server.key(ann).json
            let id = try #require(made["id"]?.text)
            let old = try #require(made["key"]?.text)
            let rotated = try await server.post(
                "/api-keys/\(id)/rotate",
                .object([JSON.Member("overlap_seconds", .integer(60))]), ann.token)
            let new = try #require(rotated.json["key"]?.text)
            #expect(rotated.json["id"] == .string(id))
            server.clock.advance(.milliseconds(59_999))
            #expect(try await server.get("/gate", .key(old)).status == 200)
            server.clock.advance(.milliseconds(1))
            #expect(try await server.get("/gate", .key(old)).status == 401)
            #expect(try await server.get("/gate", .key(new)).status == 200)
            #expect(
                try await server.send("DELETE", "/api-keys/\(id)", ann.token, nil).status == 204)
            #expect(try await server.get("/gate", .key(new)).status == 401)
        }
    }

    @Test("a revoked key's overlapping secret dies with it")
    func overlapRevoked() async throws {
        try await TestServer.run { server async throws in
            let ann = try await server.person()
            let made = try await server.key(ann).json
            let id = try #require(made["id"]?.text)
            let old = try #require(made["key"]?.text)
            _ = try await server.post(
                "/api-keys/\(id)/rotate",
                .object([JSON.Member("overlap_seconds", .integer(60))]), ann.token)
            #expect(try await server.get("/gate", .key(old)).status == 200)
            _ = try await server.send("DELETE", "/api-keys/\(id)", ann.token, nil)
            #expect(try await server.get("/gate", .key(old)).status == 401)
        }
    }

    @Test("counts and rates outlive a clean stop to the unit")
    func restart() async throws {
        let folder = try TemporaryFolder()
        let clock = FakeClock()
        try await TestServer.run(folder: folder, clock: clock) { server async throws in
            let ann = try await server.person()
            try await server.subscribe(
                ann, to: [("requests_per_minute", 5), ("requests_per_month", 100)])
            for _ in 0..<5 { _ = try await server.get("/gate", ann.token) }
        }
        try await TestServer.run(folder: folder, clock: clock) { server async throws in
            let ann = try TestServer.person(
                try await server.login("ann@example.com"), "ann@example.com")
            #expect(try await server.get("/gate", ann.token).code == "rate_limited")
            let usage = try await server.get("/usage", ann.token)
            #expect(usage.json["metrics"]?.elements.first?["used"] == .integer(5))
        }
    }

    @Test("counts that a fold has no time for are folded by the next one, once")
    func budget() async throws {
        let never = { (configuration: inout Configuration) in
            configuration.limits.checkpointInterval = .seconds(3600)
        }
        try await TestServer.run(configure: never) { server async throws in
            let ann = try await server.person()
            let id = try #require(UserID(ann.id))
            let hour = Window.hour.index(of: server.clock.now)
            func stored() async throws -> Int64 {
                try await server.appliance.store.read { db throws(Problem) in
                    try db.usage.history(
                        of: id, metric: "requests", window: .hour,
                        from: Window.hour.period(hour), to: Window.hour.period(hour))
                }.first?.value ?? 0
            }
            _ = try await server.get("/gate", ann.token)
            try await server.appliance.checkpoint(within: .zero)
            #expect(try await stored() == 0)
            _ = try await server.get("/gate", ann.token)
            try await server.appliance.checkpoint(within: .zero)
            #expect(try await stored() == 0)
            try await server.appliance.checkpoint()
            #expect(try await stored() == 2)
            try await server.appliance.checkpoint()
            #expect(try await stored() == 2)
        }
    }

    @Test("the history shows what was answered before, once, while folds go on")
    func historyMeanwhile() async throws {
        try await TestServer.run { server async throws in
            let ann = try await server.person()
            try await server.subscribe(ann, to: [("requests_per_month", 100_000)])
            let answered = Counter()
            func shown() async throws -> Int64 {
                let history = try await server.get("/usage/history?granularity=month", ann.token)
                return history.json["items"]?.elements.first?["value"]?.number ?? 0
            }
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                for _ in 0..<3 {
                    tasks.addTask {
                        for _ in 0..<150 {
                            let answer = try await server.get("/gate", ann.token)
                            #expect(answer.status == 200)
                            answered.next()
                        }
                    }
                }
                tasks.addTask {
                    for _ in 0..<60 { try await server.appliance.checkpoint() }
                }
                var least: Int64 = 0
                while least < 450 {
                    let before = Int64(answered.current)
                    let value = try await shown()
                    #expect(value >= max(least, before) && value <= before + 450)
                    #expect(value <= 450)
                    least = max(value, before)
                }
                try await tasks.waitForAll()
            }
            #expect(try await shown() == 450)
        }
    }

    @Test("a store that fails the write gives the request back")
    func givenBack() async throws {
        try await TestServer.run { server async throws in
            let ann = try await server.person()
            let id = try #require(UserID(ann.id))
            let demand = Demand(metric: "requests", resource: "items")
            let now = server.clock.now
            let gatekeeper = server.appliance.gatekeeper
            let before = try await gatekeeper.report(id, at: now)
            var review = Review()
            let acceptance = try await gatekeeper.admit(id, demand, at: now, &review)
            await gatekeeper.giveBack(
                id, demand, key: nil, review.bookings, after: acceptance)
            #expect(try await gatekeeper.report(id, at: now) == before)
        }
    }
}
