import Domain
import Support
import Testing

@testable import Appliance

/// One customer on several nodes, each with a connection of its own to one real server.
struct SharedCustomer: Sendable {
    let nodes: [CustomerMemory]
    let rigs: [RedisRig]
    let epoch: String
    let user: UserID

    /// - Parameter lateness: nil for clocks that tests make up.
    static func run(
        nodes count: Int = 3, lateness: Int64? = nil,
        _ body: @escaping @Sendable (SharedCustomer) async throws -> Void
    ) async throws {
        try await RedisServer.run { server in
            try await connect(count, server.url, []) { rigs in
                var random = SystemRandomNumberGenerator()
                let nodes = rigs.map { CustomerMemory(redis: $0.client, lateness: lateness) }
                let epoch = try await nodes[0].epoch(on: try await rigs[0].server())
                let shared = SharedCustomer(
                    nodes: nodes, rigs: rigs, epoch: try #require(epoch),
                    user: UserID(at: .epoch, using: &random))
                try await body(shared)
            }
        }
    }

    private static func connect(
        _ count: Int, _ url: String, _ rigs: [RedisRig],
        _ body: @escaping @Sendable ([RedisRig]) async throws -> Void
    ) async throws {
        guard rigs.count < count else { return try await body(rigs) }
        try await RedisRig.run(url, timeout: .seconds(20)) { rig in
            try await connect(count, url, rigs + [rig], body)
        }
    }

    /// The customer as Redis has them now.
    func customer(_ standing: Standing) async throws -> (version: Int64, customer: Customer) {
        let state = try #require(try await nodes[0].load(user, in: epoch))
        return (state.version, try Self.customer(state, standing))
    }

    static func customer(
        _ state: CustomerMemory.State, _ standing: Standing
    ) throws -> Customer {
        var customer = Customer(standing: standing)
        let isReadable = customer.adopt(state.bytes)
        try #require(isReadable)
        return customer
    }

    // MARK: As a node does it

    struct Outcome {
        let answer: CustomerHistory.Answer
        let review: Review
        let after: Customer
    }

    /// By the script, and once more on the state that it saw.
    func admit(
        _ demand: Demand, key: Customer.KeyRules? = nil, _ standing: Standing,
        at now: Timestamp, on node: CustomerMemory
    ) async throws -> Outcome {
        let admission = try await node.admit(
            user, demand, rules: standing.rules, key: key, at: now, in: epoch)
        var review = Review()
        switch admission {
        case .granted(let before):
            var customer = try Self.customer(before, standing)
            let decision = customer.admit(demand, key: key, at: now, &review)
            #expect(decision == .granted)
            let stored = try await self.customer(standing)
            #expect(stored.version == before.version + 1)
            #expect(stored.customer.shared() == customer.shared())
            return Outcome(answer: .decision(decision), review: review, after: customer)
        case .refused(let before):
            let unchanged = try Self.customer(before, standing)
            var customer = unchanged
            let decision = customer.admit(demand, key: key, at: now, &review)
            #expect(decision != .granted)
            return Outcome(answer: .decision(decision), review: review, after: unchanged)
        case .absent, .held, .late: throw Unexpected(admission: admission)
        }
    }

    /// By a change of the state there is; nothing is written for a demand that is refused.
    func change(
        _ event: CustomerHistory.Event, _ standing: Standing, at now: Timestamp,
        on node: CustomerMemory
    ) async throws -> Outcome {
        let state = try #require(try await node.load(user, in: epoch))
        let before = try Self.customer(state, standing)
        var (after, review) = (before, Review())
        let answer = after.live(event, at: now, &review)
        if case .admit = event, answer != .decision(.granted) {
            return Outcome(answer: answer, review: review, after: before)
        }
        let stale = try await node.replace(
            user, state.version - 1, with: [], at: now, in: epoch)
        #expect(stale == .changed(state))
        let replacing = try await node.replace(
            user, state.version, with: after.shared(), at: now, in: epoch)
        #expect(replacing == .stored(version: state.version + 1))
        return Outcome(answer: answer, review: review, after: after)
    }

    private struct Unexpected: Error { let admission: CustomerMemory.Admission }
}
