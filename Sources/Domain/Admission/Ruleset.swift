/// Limits in the shape that a decision reads them: by metric, bursts joined to their rates,
/// what is unlimited left out. Made once for a plan or key and shared.
package struct Ruleset: Equatable, Sendable {
    package struct QuotaRule: Equatable, Sendable {
        package let name: String
        package let bound: Int64
        package let window: Window
        package let allowsOverage: Bool
    }

    package struct MetricRules: Equatable, Sendable {
        package let metric: String
        package fileprivate(set) var rates: [RateRule] = []
        package fileprivate(set) var quotas: [QuotaRule] = []

        fileprivate init(metric: String) { self.metric = metric }
    }

    package let limits: Limits
    private let metrics: [MetricRules]
    private let stocks: [String: Limit]

    package static let none = Ruleset(.none)

    package init(_ limits: Limits) {
        self.limits = limits
        var metrics: [MetricRules] = []
        var stocks: [String: Limit] = [:]
        func edit(_ metric: String, _ body: (inout MetricRules) -> Void) {
            if !metrics.contains(where: { $0.metric == metric }) {
                metrics.append(MetricRules(metric: metric))
            }
            for index in metrics.indices where metrics[index].metric == metric {
                body(&metrics[index])
            }
        }
        for limit in limits.all {
            guard let bound = limit.bound else { continue }
            switch limit.kind {
            case .rate(let metric, let period):
                let rule = RateRule(
                    name: limit.name, bound: bound,
                    burst: Self.burst(of: metric, per: period, in: limits),
                    period: period.milliseconds)
                edit(metric) { $0.rates.append(rule) }
            case .quota(let metric, let window):
                let rule = QuotaRule(
                    name: limit.name, bound: bound, window: window,
                    allowsOverage: limit.allowsOverage)
                edit(metric) { $0.quotas.append(rule) }
            case .stock(let resource): stocks[resource] = limit
            case .burst, .concurrency: break
            }
        }
        self.metrics = metrics
        self.stocks = stocks
    }

    /// A burst belongs to the metric's finest rate; the coarser one keeps a period's worth.
    private static func burst(
        of metric: String, per period: Limit.RatePeriod, in limits: Limits
    ) -> Int64? {
        let hasSecond = limits.all.contains { $0.kind == .rate(metric: metric, per: .second) }
        guard period == .second || !hasSecond else { return nil }
        return limits.all.first { $0.kind == .burst(metric: metric) }?.bound
    }

    package func rules(for metric: String) -> MetricRules? {
        // A handful at most: a scan beats hashing the name.
        metrics.first { $0.metric == metric }
    }

    package func stock(_ resource: String) -> Limit? { stocks[resource] }
}
