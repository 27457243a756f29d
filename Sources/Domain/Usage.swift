/// A customer's use against their limits, as `GET /usage` reports it.
package struct UsageReport: Equatable, Sendable {
    package struct Metric: Equatable, Sendable {
        package let metric: String
        package let window: Window
        /// What is held by reservations is part of it.
        package let used: Int64
        /// Nil: no limit.
        package let limit: Int64?
        package let resetsAt: Timestamp

        package var remaining: Int64? { limit.map { max(0, $0 - used) } }
        package var overage: Int64 { limit.map { max(0, used - $0) } ?? 0 }
    }

    package struct Rate: Equatable, Sendable {
        package let metric: String
        package let per: Limit.RatePeriod
        package let limit: Int64?
        package let burst: Int64?
    }

    package struct Holding: Equatable, Sendable {
        package let resource: String
        package let count: Int64
        package let limit: Int64?
    }

    package let plan: String?
    package let period: String
    package let metrics: [Metric]
    package let rates: [Rate]
    package let concurrency: [Holding]
    package let stocks: [Holding]
}

extension Customer {
    /// Sorted by name, the longest window first. A metric with a limit shows the windows that are
    /// limited; one that was used without any shows its month.
    package func report(at now: Timestamp) -> UsageReport {
        var customer = self
        customer.advance(to: now)
        return customer.currentReport(at: now)
    }

    private func currentReport(at now: Timestamp) -> UsageReport {
        let limits = standing?.rules.limits.all ?? []
        var metrics: [UsageReport.Metric] = []
        var rates: [UsageReport.Rate] = []
        var concurrency: [UsageReport.Holding] = []
        var stocks: [UsageReport.Holding] = []
        for limit in limits {
            switch limit.kind {
            case .quota(let metric, let window):
                metrics.append(self.metric(metric, window, limit.bound, at: now))
            case .rate(let metric, let period):
                let rule = standing?.rules.rules(for: metric)?[period]
                rates.append(
                    UsageReport.Rate(
                        metric: metric, per: period, limit: limit.bound, burst: rule?.burst))
            case .concurrency(let resource):
                concurrency.append(
                    UsageReport.Holding(
                        resource: resource, count: leases.inUse(resource), limit: limit.bound))
            case .stock(let resource):
                stocks.append(
                    UsageReport.Holding(
                        resource: resource, count: self.stocks[resource] ?? 0, limit: limit.bound))
            case .burst: break
            }
        }
        for meter in account.meters where !metrics.contains(where: { $0.metric == meter.metric }) {
            let unlimited = metric(meter.metric, .month, nil, at: now)
            if unlimited.used > 0 { metrics.append(unlimited) }
        }
        for (resource, count) in self.stocks
        where count > 0 && !stocks.contains(where: { $0.resource == resource }) {
            stocks.append(UsageReport.Holding(resource: resource, count: count, limit: nil))
        }
        for lease in leases.live
        where !concurrency.contains(where: { $0.resource == lease.resource }) {
            concurrency.append(
                UsageReport.Holding(
                    resource: lease.resource, count: leases.inUse(lease.resource), limit: nil))
        }
        let order = Window.allCases
        return UsageReport(
            plan: standing?.planSlug, period: Window.month.period(Window.month.index(of: now)),
            metrics: metrics.sorted {
                ($0.metric, order.firstIndex(of: $0.window) ?? 0)
                    < ($1.metric, order.firstIndex(of: $1.window) ?? 0)
            },
            rates: rates.sorted { ($0.metric, $0.per.rawValue) < ($1.metric, $1.per.rawValue) },
            concurrency: concurrency.sorted { $0.resource < $1.resource },
            stocks: stocks.sorted { $0.resource < $1.resource })
    }

    private func metric(
        _ metric: String, _ window: Window, _ bound: Int64?, at now: Timestamp
    ) -> UsageReport.Metric {
        let meter = account.meter(metric) ?? Meter(metric: metric, at: now)
        let counter = meter.tally.counter(window, at: now)
        return UsageReport.Metric(
            metric: metric, window: window, used: counter.used + meter.held, limit: bound,
            resetsAt: counter.end)
    }
}
