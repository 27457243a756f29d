import CAllocations
import Domain

/// What one warm decision costs, called from another module as the appliance calls it.
///
///     GATEHOUSE_ROOMS=core swift run -c release AdmitBenchmark
@main
enum Main {
    private static let rounds = 21
    private static let callsPerRound: Int64 = 200_000
    private static let start = Timestamp(milliseconds: 1_795_452_720_000)  // 2026-11-23T16:52:00Z

    static func main() throws {
        let plan = try rules(
            """
            {"requests_per_second":1000000,"requests_burst":2000000,"requests_per_day":900000000,
             "requests_per_month":9000000000,"max_items":500,"concurrent_jobs":3}
            """)
        let small = try rules(#"{"requests_per_day":1}"#)
        let key = Customer.KeyRules(
            id: ID(high: 1, low: 2),
            rules: try rules(#"{"requests_per_hour":900000000,"requests_per_minute":90000000}"#))
        measure("granted, 3 limits", Case(plan))
        measure("granted, 3 limits and 2 of the key", Case(plan, key: key))
        measure("granted, 3 limits, with holds", Case(plan, holds: 100))
        measure("refused by 1 quota", Case(small))
    }

    private static func rules(_ text: String) throws -> Ruleset {
        Ruleset(try Limits(json: JSONParser.parse(Array(text.utf8))))
    }

    /// A customer and what is asked of them.
    private struct Case {
        var customer: Customer
        let key: Customer.KeyRules?

        init(_ rules: Ruleset, key: Customer.KeyRules? = nil, holds: UInt64 = 0) {
            customer = Customer(
                standing: Standing(planSlug: "pro", rules: rules, expiresAt: nil))
            self.key = key
            for number in 0..<holds {
                let hold = Reservation(
                    id: ID(high: 0, low: number), userID: ID(high: 0, low: 0), keyID: nil,
                    metric: Demand.requests, amount: 1, createdAt: start,
                    expiresAt: start + .seconds(3600))
                customer.restore(hold, at: start)
            }
        }
    }

    private static func measure(_ name: String, _ given: Case) {
        var customer = given.customer
        var review = Review()
        let demand = Demand(metric: Demand.requests)
        var now = start
        var sum: Int64 = 0
        func round() {
            for call in 0..<callsPerRound {
                if call % 100 == 0 { now.milliseconds += 1 }
                let decision = customer.admit(demand, key: given.key, at: now, &review)
                // Both are read, so that neither is optimised away.
                if case .granted = decision { sum += 1 }
                for booking in review.bookings {
                    sum += booking.cost
                    if booking.place == nil { customer.setPlace(1, of: booking) }
                }
            }
        }
        let cold = allocationsSoFar()
        round()  // warms up: meters, buffers, caches
        let warm = allocationsSoFar()
        let clock = ContinuousClock()
        var nanoseconds: [Int64] = []
        nanoseconds.reserveCapacity(rounds)
        let before = allocationsSoFar()
        for _ in 0..<rounds {
            let span = clock.measure(round)
            nanoseconds.append(span.components.attoseconds / 1_000_000_000 / callsPerRound)
        }
        let allocations = allocationsSoFar() - before
        nanoseconds.sort()
        print(
            "\(name): \(nanoseconds[rounds / 2]) ns an admit (\(nanoseconds[0]) to",
            "\(nanoseconds[rounds - 1])), \(allocations) allocations in",
            "\(Int64(rounds) * callsPerRound) admits (\(warm - cold) to warm up) [\(sum)]")
    }
}
