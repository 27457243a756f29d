import Domain

/// A demand as `RedisScript.admit` reads it, with the rules that apply and the windows of now: the
/// script knows no calendar. One argument, in MessagePack:
///
///     [now, lateness or -1, lifetime, metric, cost, resource or "", stock's bound or -1,
///      [hour, day, month], most metrics, plan's rules, key's id or "", key's rules]
///
/// Rules are [] where there are none of the metric, else [minute, second, quotas]; a rate is [] or
/// [bound, burst], quotas are [[1, 2 or 3: hour, day or month, bound] …] without those that let
/// everything pass.
struct AdmissionQuestion {
    let bytes: [UInt8]
    /// Lua's doubles decide it exactly.
    let fitsDoubles: Bool

    /// A minute's milliseconds times this are below 2^53.
    private static let rateMax: Int64 = 100_000_000_000
    /// Three sums away from 2^53.
    private static let quotaMax = JSON.integerMax / 2

    init(
        demand: Demand, rules: Ruleset, key: Customer.KeyRules?, now: Timestamp, lateness: Int64?,
        lifetime: Int64
    ) {
        let plan = rules.rules(for: demand.metric)
        let own = key?.rules.rules(for: demand.metric)
        let stock = demand.resource.flatMap { rules.stock($0)?.bound }
        var writer = MessagePackWriter()
        writer.array(12)
        writer.integer(now.milliseconds)
        writer.integer(lateness ?? -1)
        writer.integer(lifetime)
        writer.string(demand.metric)
        writer.integer(demand.cost)
        writer.string(demand.resource ?? "")
        writer.integer(stock ?? -1)
        writer.array(Self.windows.count)
        for window in Self.windows { writer.integer(window.index(of: now)) }
        writer.integer(Int64(Demand.metricsMax))
        writer.rules(plan, Self.windows)
        writer.string(key?.id)
        writer.rules(own, Self.windows)
        bytes = writer.bytes
        fitsDoubles =
            Self.fits(plan) && Self.fits(own) && demand.cost <= Self.rateMax
            && stock ?? 0 <= Self.quotaMax
    }

    /// In the order of a meter's counts.
    private static let windows = [Window.hour, .day, .month]

    private static func fits(_ rules: MetricRules?) -> Bool {
        guard let rules else { return true }
        return rules.rates.allSatisfy { max($0.bound, $0.burst) <= rateMax }
            && rules.quotas.allSatisfy { $0.bound <= quotaMax }
    }
}

extension MessagePackWriter {
    fileprivate mutating func rules(_ rules: MetricRules?, _ windows: [Window]) {
        guard let rules else { return array(0) }
        array(3)
        for rate in [rules.minute, rules.second] {
            guard let rate else {
                array(0)
                continue
            }
            array(2)
            integer(rate.bound)
            integer(rate.burst)
        }
        let quotas = rules.quotas.filter { !$0.allowsOverage }
        array(quotas.count)
        for quota in quotas {
            array(2)
            integer(Int64(windows.firstIndex(of: quota.window) ?? 0) + 1)
            integer(quota.bound)
        }
    }
}
