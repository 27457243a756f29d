import Domain
import Testing

@Suite("UsageReport")
struct UsageTests {
    private static let now = Timestamp(milliseconds: 1_795_452_720_000)  // 2026-11-23T16:52:00Z

    private func customer(_ limits: String) throws -> Customer {
        let rules = Ruleset(try Limits(json: JSONParser.parse(Array(limits.utf8))))
        return Customer(standing: Standing(planSlug: "pro", rules: rules, expiresAt: nil))
    }

    @Test("Metrics are sorted by name, the longest period first")
    func order() throws {
        let customer = try customer(
            """
            {"b_per_hour":1,"b_per_month":3,"b_per_day":2,"a_per_hour":4,"a_per_month":5,
             "z_per_second":1,"c_per_second":2,"c_per_minute":3,
             "concurrent_y":1,"concurrent_x":2,"max_q":1,"max_p":2}
            """)
        let report = customer.report(at: Self.now)
        #expect(report.plan == "pro")
        #expect(report.period == "2026-11")
        #expect(
            report.metrics.map { "\($0.metric) \($0.window)" } == [
                "a month", "a hour", "b month", "b day", "b hour",
            ])
        #expect(
            report.rates.map { "\($0.metric) \($0.per)" } == [
                "c minute", "c second", "z second",
            ])
        #expect(report.concurrency.map(\.resource) == ["x", "y"])
        #expect(report.stocks.map(\.resource) == ["p", "q"])
    }

    @Test("A metric shows what was used, what remains and when it begins anew")
    func used() throws {
        var customer = try customer(#"{"requests_per_month":10,"requests_per_day":5}"#)
        for _ in 0..<3 { _ = customer.admit(Demand(metric: "requests"), at: Self.now) }
        let report = customer.report(at: Self.now)
        #expect(report.metrics.map(\.used) == [3, 3])
        #expect(report.metrics.map(\.remaining) == [7, 2])
        #expect(report.metrics.map(\.overage) == [0, 0])
        #expect(
            report.metrics.map(\.resetsAt.description) == [
                "2026-12-01T00:00:00.000Z", "2026-11-24T00:00:00.000Z",
            ])
    }

    @Test("What is past an allowed limit is overage, and what remains is 0")
    func overage() throws {
        var customer = try customer(#"{"mails_per_month":{"limit":2,"overage":"allow"}}"#)
        _ = customer.admit(Demand(metric: "mails", cost: 5), at: Self.now)
        let metric = try #require(customer.report(at: Self.now).metrics.first)
        #expect(metric.used == 5)
        #expect(metric.limit == 2)
        #expect(metric.remaining == 0)
        #expect(metric.overage == 3)
    }

    @Test("A metric that was used without a limit shows its month, without a limit")
    func unlimited() throws {
        var customer = try customer("{}")
        _ = customer.admit(Demand(metric: "mails"), at: Self.now)
        _ = customer.admit(Demand(metric: "asked", cost: 0), at: Self.now)
        let metrics = customer.report(at: Self.now).metrics
        #expect(metrics.map(\.metric) == ["mails"])
        #expect(metrics.first?.window == .month)
        #expect(metrics.first?.limit == nil)
        #expect(metrics.first?.remaining == nil)
    }

    @Test("Stocks are shown with and without a limit, and a rate with its burst")
    func stocksAndRates() throws {
        var customer = try customer(#"{"max_items":3,"a_per_second":2,"a_burst":8}"#)
        customer.restore(stock: "items", 2)
        customer.restore(stock: "hooks", 4)
        let report = customer.report(at: Self.now)
        #expect(
            report.stocks.map { "\($0.resource) \($0.count) \($0.limit ?? -1)" } == [
                "hooks 4 -1", "items 2 3",
            ])
        #expect(report.rates.map(\.burst) == [8])
        #expect(report.rates.map(\.limit) == [2])
    }

    @Test("A customer without a plan has a report all the same")
    func noPlan() {
        let report = Customer(standing: nil).report(at: Self.now)
        #expect(report.plan == nil)
        #expect(report.metrics.isEmpty)
    }
}
