/// Limits in the shape that a decision reads them: by metric, bursts joined to their rates,
/// what is unlimited left out. Made once for a plan or key and shared: a class, so that to hold it
/// for a decision counts one reference and not those of all its parts.
package final class Ruleset: Sendable {
    package struct QuotaRule: Equatable, Sendable {
        package let name: String
        package let bound: Int64
        package let window: Window
        package let allowsOverage: Bool
    }

    package let limits: Limits
    private let metrics: [MetricRules]

    package static let none = Ruleset(.none)

    package init(_ limits: Limits) {
        self.limits = limits
        var names: [String] = []
        for limit in limits.all where limit.bound != nil {
            guard let name = limit.kind.metric, !names.contains(name) else { continue }
            names.append(name)
        }
        metrics = names.map { MetricRules($0, limits) }
    }

    package func rules(for metric: String) -> MetricRules? {
        // A handful at most: a scan beats hashing the name.
        metrics.first { $0.metric == metric }
    }

    /// Whether all that limits this demand are rates.
    package func hasOnlyRates(for demand: Demand) -> Bool {
        rules(for: demand.metric)?.quotas.isEmpty ?? true
            && demand.resource.flatMap { stock($0) } == nil
    }

    /// Nil: unlimited.
    package func stock(_ resource: String) -> Limit? { bounded(.stock(resource: resource)) }

    /// Nil: unlimited.
    package func concurrency(_ resource: String) -> Limit? {
        bounded(.concurrency(resource: resource))
    }

    private func bounded(_ kind: Limit.Kind) -> Limit? {
        limits.all.first { $0.kind == kind && $0.bound != nil }
    }
}

extension Ruleset: Equatable {
    package static func == (a: Ruleset, b: Ruleset) -> Bool { a === b || a.limits == b.limits }
}

/// The rates and quotas of one metric.
package final class MetricRules: Sendable {
    package let metric: String
    package let minute: RateRule?
    package let second: RateRule?
    /// Sorted by name.
    package let quotas: [Ruleset.QuotaRule]

    fileprivate init(_ metric: String, _ limits: Limits) {
        self.metric = metric
        minute = Self.rate(of: metric, per: .minute, in: limits)
        second = Self.rate(of: metric, per: .second, in: limits)
        quotas = limits.all.compactMap { limit in
            guard case .quota(metric, let window) = limit.kind, let bound = limit.bound else {
                return nil
            }
            return Ruleset.QuotaRule(
                name: limit.name, bound: bound, window: window, allowsOverage: limit.allowsOverage)
        }
    }

    package subscript(period: Limit.RatePeriod) -> RateRule? {
        switch period {
        case .minute: minute
        case .second: second
        }
    }

    /// Sorted by name.
    package var rates: [RateRule] { [minute, second].compactMap { $0 } }

    private static func rate(
        of metric: String, per period: Limit.RatePeriod, in limits: Limits
    ) -> RateRule? {
        let kind = Limit.Kind.rate(metric: metric, per: period)
        guard let limit = limits.all.first(where: { $0.kind == kind }), let bound = limit.bound
        else { return nil }
        return RateRule(
            name: limit.name, bound: bound, burst: burst(of: metric, per: period, in: limits),
            period: period.milliseconds)
    }

    /// A burst belongs to the metric's finest rate; the coarser one keeps a period's worth.
    private static func burst(
        of metric: String, per period: Limit.RatePeriod, in limits: Limits
    ) -> Int64? {
        let hasSecond = limits.all.contains { $0.kind == .rate(metric: metric, per: .second) }
        guard period == .second || !hasSecond else { return nil }
        return limits.all.first { $0.kind == .burst(metric: metric) }?.bound
    }
}

extension Limit.Kind {
    /// The metric of a rate or quota.
    fileprivate var metric: String? {
        switch self {
        case .rate(let metric, _), .quota(let metric, _): metric
        case .burst, .concurrency, .stock: nil
        }
    }
}
