import Domain
import Support
import Testing

@testable import Appliance

@Suite("A customer in Redis")
struct CustomerMemoryTests {
    private static let start = Timestamp(milliseconds: 1_800_000_000_000)

    private static func standing(_ limits: String) throws -> Standing {
        let json = try JSONParser.parse(Array(limits.utf8))
        return Standing(
            planSlug: "p", rules: Ruleset(try Limits(json: json)), expiresAt: nil)
    }

    private static let histories = [UInt64](1...20).flatMap { seed in
        CustomerHistory.Size.allCases.map { (seed, $0) }
    }

    @Test(
        "A life on three nodes in turns is the one that a single node lives, answer by answer",
        arguments: histories)
    func agrees(seed: UInt64, size: CustomerHistory.Size) async throws {
        try await SharedCustomer.run { shared in
            var history = try CustomerHistory(seed: seed, size: size)
            var single = Customer(standing: history.standing)
            _ = try await shared.nodes[1].create(shared.user, single.shared(), in: shared.epoch)
            for step in 0..<250 {
                let comment: Comment = "seed \(seed), \(size), step \(step)"
                let event = try history.next()
                let (now, standing) = (history.now, history.standing)
                single.standing = standing
                let before = single
                var review = Review()
                let answer = single.live(event, at: now, &review)
                let node = history.random.pick(shared.nodes)
                let outcome: SharedCustomer.Outcome
                if case .admit(let demand, let key) = event {
                    // What is refused leaves no trace.
                    if answer != .decision(.granted) { single = before }
                    outcome =
                        history.random.chance(80)
                        ? try await shared.admit(demand, key: key, standing, at: now, on: node)
                        : try await shared.change(event, standing, at: now, on: node)
                } else {
                    outcome = try await shared.change(event, standing, at: now, on: node)
                }
                #expect(outcome.answer == answer, comment)
                #expect(outcome.review.states == review.states, comment)
                #expect(outcome.review.bookings == review.bookings, comment)
                #expect(outcome.after.shared() == single.shared(), comment)
                history.note(event, answer, review.bookings)
            }
            let stored = try await shared.customer(history.standing).customer
            #expect(stored.report(at: history.now) == single.report(at: history.now))
        }
    }

    @Test("Of the last thousand units, 64 at once on three nodes win exactly a thousand")
    func race() async throws {
        let standing = try Self.standing(#"{"requests_per_month": 5000, "requests_per_day": 9000}"#)
        try await Self.race(standing, tasks: 64)
    }

    @Test("The same where the numbers are too large for Lua")
    func wideRace() async throws {
        let standing = try Self.standing(
            #"{"requests_per_month": 5000, "requests_per_second": 200000000000}"#)
        try await Self.race(standing, tasks: 6)
    }

    private static func race(_ standing: Standing, tasks: Int) async throws {
        try await SharedCustomer.run { shared in
            var customer = Customer(standing: standing)
            customer.edit(nil) { $0.add(4000, of: "requests", usedAt: start, at: start) }
            _ = try await shared.nodes[0].create(shared.user, customer.shared(), in: shared.epoch)
            let wins = try await withThrowingTaskGroup(of: Int64.self) { group in
                for number in 0..<tasks {
                    let node = shared.nodes[number % shared.nodes.count]
                    group.addTask { try await takeAll(shared, node, standing) }
                }
                return try await group.reduce(0, +)
            }
            #expect(wins == 1000)
            let report = try await shared.customer(standing).customer.report(at: start)
            #expect(report.metrics.allSatisfy { $0.used == 5000 })
        }
    }

    /// Until the first refusal.
    private static func takeAll(
        _ shared: SharedCustomer, _ node: CustomerMemory, _ standing: Standing
    ) async throws -> Int64 {
        var wins: Int64 = 0
        let demand = Demand(metric: "requests")
        for _ in 0...1000 {
            let admission = try await node.admit(
                shared.user, demand, rules: standing.rules, at: start, in: shared.epoch)
            guard case .granted = admission else { break }
            wins += 1
        }
        return wins
    }

    @Test("A rate with a rest is drained to the millisecond, whatever its numbers")
    func oddRates() async throws {
        try await SharedCustomer.run(nodes: 1) { shared in
            for (bound, burst) in [(7, 7), (59, 3), (100_000_000_000, 100_000_000_000)] {
                let limits = """
                    {"a_per_minute": \(bound), "b_per_second": \(bound), "b_burst": \(burst)}
                    """
                let standing = try Self.standing(limits)
                var single = Customer(standing: standing)
                var now = Self.start
                try await shared.nodes[0].drop(shared.user, in: shared.epoch)
                _ = try await shared.nodes[0].create(
                    shared.user, single.shared(), in: shared.epoch)
                var random = SplitMix64(seed: UInt64(bound))
                for _ in 0..<120 {
                    now = now + .milliseconds(random.pick([1, 7, 142, 143, 999, 1017, 59_999]))
                    let demand = Demand(
                        metric: random.pick(["a", "b"]), cost: random.int(1...Int64(burst)))
                    let before = single
                    var review = Review()
                    let decision = single.admit(demand, at: now, &review)
                    if decision != .granted { single = before }
                    let outcome = try await shared.admit(
                        demand, standing, at: now, on: shared.nodes[0])
                    #expect(outcome.answer == .decision(decision))
                    #expect(outcome.after.shared() == single.shared())
                }
            }
        }
    }

    @Test("A client that invents metrics is refused past the most there are")
    func metrics() async throws {
        let standing = try Self.standing(#"{"known_per_month": 5}"#)
        try await SharedCustomer.run(nodes: 1) { shared in
            let node = shared.nodes[0]
            let empty = Customer(standing: standing).shared()
            _ = try await node.create(shared.user, empty, in: shared.epoch)
            for number in 0...Demand.metricsMax {
                let demand = Demand(metric: "m\(number)")
                let outcome = try await shared.admit(demand, standing, at: Self.start, on: node)
                let isLast = number == Demand.metricsMax
                #expect(outcome.answer == .decision(isLast ? .tooManyMetrics : .granted))
            }
            for metric in ["m0", "known"] {
                let outcome = try await shared.admit(
                    Demand(metric: metric), standing, at: Self.start, on: node)
                #expect(outcome.answer == .decision(.granted))
            }
        }
    }

    @Test("A moment too far from the server's clock is told its time, and nothing is written")
    func late() async throws {
        let standing = try Self.standing(#"{"requests_per_month": 5}"#)
        let demand = Demand(metric: "requests")
        try await SharedCustomer.run(nodes: 1, lateness: 20_000) { shared in
            let (node, user, epoch) = (shared.nodes[0], shared.user, shared.epoch)
            let state = try await node.create(
                user, Customer(standing: standing).shared(), in: epoch)
            let replacing = try await node.replace(
                user, state.version, with: state.bytes, at: Self.start, in: epoch)
            guard case .late(let serverNow) = replacing else {
                Issue.record("\(replacing)")
                return
            }
            for seconds: Int64 in [-2, 2] {
                let admission = try await node.admit(
                    user, demand, rules: standing.rules, at: serverNow + .seconds(seconds * 30),
                    in: epoch)
                guard case .late = admission else {
                    Issue.record("\(admission)")
                    continue
                }
            }
            let left = try await node.load(user, in: epoch)
            #expect(left == state)
            let admission = try await node.admit(
                user, demand, rules: standing.rules, at: serverNow, in: epoch)
            #expect(admission == .granted(before: state))
        }
    }

    @Test("Who creates first wins; who is dropped is absent, and comes back under a new version")
    func lifetime() async throws {
        let standing = try Self.standing(#"{"requests_per_month": 5}"#)
        try await SharedCustomer.run(nodes: 2) { shared in
            let (user, epoch) = (shared.user, shared.epoch)
            let (first, other) = (shared.nodes[0], shared.nodes[1])
            let nobody = try await first.load(user, in: epoch)
            #expect(nobody == nil)
            let bytes = Customer(standing: standing).shared()
            let state = try await first.create(user, bytes, in: epoch)
            #expect(state.bytes == bytes)
            let second = try await other.create(user, [1], in: epoch)
            #expect(second == state)
            let loaded = try await other.load(user, in: epoch)
            #expect(loaded == state)

            try await other.drop(user, in: epoch)
            let replacing = try await first.replace(
                user, state.version, with: bytes, at: Self.start, in: epoch)
            #expect(replacing == .absent)
            let admission = try await first.admit(
                user, Demand(metric: "requests"), rules: standing.rules, at: Self.start, in: epoch)
            #expect(admission == .absent)
            let again = try await other.create(user, bytes, in: epoch)
            #expect(again.version > state.version)
        }
    }

    @Test("Who has lost asks for the next turn: nobody else has it, but for a moment at most")
    func turns() async throws {
        let standing = try Self.standing("{}")
        try await SharedCustomer.run(nodes: 2) { shared in
            let other = shared.nodes[1]
            let (user, epoch) = (shared.user, shared.epoch)
            let bytes = Customer(standing: standing).shared()
            // Long enough for this machine to look, and for one that is gone.
            let turns = [600_000, 50].map {
                CustomerMemory(redis: shared.rigs[0].client, lateness: nil, turn: $0)
            }
            var first = turns[0]
            let created = try await first.create(user, bytes, in: epoch)
            func asked() async throws -> CustomerMemory.Admission {
                try await other.admit(
                    user, Demand(metric: "a"), rules: standing.rules, at: Self.start, in: epoch)
            }
            func replaced(_ version: Int64, by turn: String?) async throws
                -> CustomerMemory.Replacing
            {
                let node = turn == nil ? other : first
                return try await node.replace(
                    user, version, with: bytes, at: Self.start, in: epoch, turn: turn)
            }
            #expect(try await asked() == .granted(before: created))
            guard case .changed(let state) = try await replaced(created.version, by: "a1") else {
                Issue.record("nobody was first")
                return
            }
            #expect(try await asked() == .held)
            #expect(try await replaced(state.version, by: nil) == .held)
            #expect(
                try await replaced(state.version, by: "a1") == .stored(version: state.version + 1))
            guard case .granted = try await asked() else {
                Issue.record("the turn did not end")
                return
            }
            // Its holder is not heard of again.
            first = turns[1]
            guard case .changed = try await replaced(state.version, by: "a2") else {
                Issue.record("nobody was first")
                return
            }
            while try await asked() == .held { try await Task.sleep(for: .milliseconds(5)) }
        }
    }

    @Test("Whoever is asked for nothing for a day is gone; another life of the server has nothing")
    func forgotten() async throws {
        let standing = try Self.standing("{}")
        try await SharedCustomer.run(nodes: 1) { shared in
            let (node, rig) = (shared.nodes[0], shared.rigs[0])
            let bytes = Customer(standing: standing).shared()
            var version = try await node.create(shared.user, bytes, in: shared.epoch).version
            let key = "gatehouse:\(shared.epoch):{\(shared.user)}"
            for change in 0...2 {
                let left = try await rig.send("PTTL", key)
                guard case .integer(86_000_000...86_400_000) = left else {
                    Issue.record("\(left) after change \(change)")
                    return
                }
                _ = try await rig.send("PERSIST", key)
                if change == 0 {
                    _ = try await shared.admit(
                        Demand(metric: "a"), standing, at: Self.start, on: node)
                } else {
                    _ = try await node.replace(
                        shared.user, version, with: bytes, at: Self.start, in: shared.epoch)
                }
                version += 1
            }
            await #expect(throws: RedisFailure.otherServer) {
                try await node.load(shared.user, in: "another")
            }
        }
    }

    @Test("Nobody is put into a memory that was emptied, until it is another epoch")
    func emptied() async throws {
        let bytes = Customer(standing: nil).shared()
        try await SharedCustomer.run(nodes: 2) { shared in
            let (node, user) = (shared.nodes[0], shared.user)
            _ = try await node.create(user, bytes, in: shared.epoch)
            _ = try await shared.rigs[1].send("FLUSHALL")
            await #expect(throws: RedisFailure.otherServer) {
                try await node.create(user, bytes, in: shared.epoch)
            }
            let server = try await shared.rigs[0].server()
            let next = try #require(try await node.epoch(on: server))
            #expect(next != shared.epoch)
            let agreed = try await shared.nodes[1].epoch(on: server)
            #expect(agreed == next)
            let state = try await node.create(user, bytes, in: next)
            #expect(state.bytes == bytes)
        }
    }
}
