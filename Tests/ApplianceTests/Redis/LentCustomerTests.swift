import Domain
import Support
import Testing

@testable import Appliance

@Suite("A customer in Redis, of whom nodes have taken blocks")
struct LentCustomerTests {
    @Test("The script grants the last unit that is not lent, and not one more")
    func lastUnit() async throws {
        try await SharedCustomer.run(nodes: 1) { shared in
            var (plans, keys, none) = (0, 0, 0)
            for seed in UInt64(1)...24 {
                var history = try CustomerHistory(seed: seed, size: .middle)
                var customer = Customer(standing: history.standing)
                for step in 0..<120 {
                    try Self.live(&customer, &history)
                    let metric = history.random.pick(CustomerHistory.metrics)
                    let key = history.random.chance(60) ? history.random.pick(history.keys) : nil
                    let probe = Probe(customer, history.standing, metric, key, history.now)
                    guard let probe else { continue }
                    try await probe.ask(shared, "seed \(seed), step \(step)")
                    switch probe.lender {
                    case .plan: plans += 1
                    case .key: keys += 1
                    case nil: none += 1
                    }
                }
            }
            // What is lent was the reason.
            #expect(plans > 100 && keys > 50, "\(plans) of plans, \(keys) of keys, \(none) others")
        }
    }

    private static func live(_ customer: inout Customer, _ history: inout CustomerHistory) throws {
        var review = Review()
        let event = try history.next()
        customer.standing = history.standing
        let answer = customer.live(event, at: history.now, &review)
        history.note(event, answer, review.bookings)
    }

    /// A state with blocks, and the largest demand that it has room for.
    private struct Probe {
        enum Lender { case plan, key }

        let customer: Customer
        let standing: Standing
        let metric: String
        let key: Customer.KeyRules?
        let now: Timestamp
        let most: Int64

        /// Nil where nothing is lent, or nothing bounds demands.
        init?(
            _ customer: Customer, _ standing: Standing, _ metric: String,
            _ key: Customer.KeyRules?, _ now: Timestamp
        ) {
            guard customer.hasBlocks(of: metric) else { return nil }
            most = customer.most(of: metric, key: key, at: now)
            guard most < Demand.costMax else { return nil }
            (self.customer, self.standing) = (customer, standing)
            (self.metric, self.key, self.now) = (metric, key, now)
        }

        func ask(_ shared: SharedCustomer, _ comment: Comment) async throws {
            let node = shared.nodes[0]
            try await node.drop(shared.user, in: shared.epoch)
            _ = try await node.create(shared.user, customer.shared(), in: shared.epoch)
            let more = try await shared.admit(
                Demand(metric: metric, cost: most + 1), key: key, standing, at: now, on: node)
            guard case .decision(.refused) = more.answer else {
                Issue.record(comment)
                return
            }
            // A plan that has become smaller may refuse even nothing.
            var single = customer
            var review = Review()
            let last = Demand(metric: metric, cost: most)
            let decision = single.admit(last, key: key, at: now, &review)
            if decision != .granted { single = customer }
            let outcome = try await shared.admit(last, key: key, standing, at: now, on: node)
            #expect(outcome.answer == .decision(decision), comment)
            #expect(try await shared.customer(standing).customer.shared() == single.shared())
        }

        /// Whose loan it is that refuses one more: without it, that is granted.
        var lender: Lender? {
            var unlent = customer
            for block in customer.blocks {
                unlent.settle(block.id, spent: 0, usedAt: now, key: nil, at: now)
            }
            guard unlent.most(of: metric, key: key, at: now) > most else { return nil }
            return key != nil && customer.most(of: metric, at: now) > most ? .key : .plan
        }
    }
}
