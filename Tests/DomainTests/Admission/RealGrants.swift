import Domain

/// What a customer was really granted, and when, summed up plainly: no number here comes from the
/// code that decides.
struct RealGrants {
    /// Whose counts: the account's (nil) or a key's.
    struct Slot: Hashable {
        let owner: APIKeyID?
        let metric: String
    }

    private struct Count: Hashable {
        let slot: Slot
        let window: Window
        let index: Int64
    }

    private struct Rate: Hashable {
        let slot: Slot
        let name: String
    }

    /// Tokens × milliseconds of the period, and when that was.
    private typealias Bucket = (level: Int128, at: Int64)

    private let rules: [APIKeyID?: Ruleset]
    private var granted: [Count: Int64] = [:]
    private var counted: [Count: Int64] = [:]
    private var buckets: [Rate: Bucket] = [:]
    private var latest: [Slot: Timestamp] = [:]

    init(plan: Ruleset, keys: [Customer.KeyRules]) {
        var rules: [APIKeyID?: Ruleset] = [nil: plan]
        for key in keys { rules[key.id] = key.rules }
        self.rules = rules
    }

    func rates(of slot: Slot) -> [RateRule] { metricRules(slot)?.rates ?? [] }

    private func metricRules(_ slot: Slot) -> MetricRules? {
        rules[slot.owner]?.rules(for: slot.metric)
    }

    // MARK: Windows

    /// When something counts that is done now: a window that was left is never opened again.
    @discardableResult
    mutating func touch(_ slot: Slot, at now: Timestamp) -> Timestamp {
        let moment = max(now, latest[slot] ?? now)
        latest[slot] = moment
        return moment
    }

    func isAhead(_ slot: Slot, of now: Timestamp) -> Bool {
        guard let moment = latest[slot] else { return false }
        return Window.hour.index(of: moment) > Window.hour.index(of: now)
    }

    /// Grants units in the windows of a moment. The quotas that they pass.
    mutating func grant(_ cost: Int64, _ slot: Slot, in moment: Timestamp) -> [String] {
        guard cost > 0 else { return [] }
        for window in Window.allCases {
            granted[count(slot, window, moment), default: 0] += cost
        }
        return (metricRules(slot)?.quotas ?? []).compactMap { quota in
            let sum = granted[count(slot, quota.window, moment)] ?? 0
            return quota.allowsOverage || sum <= quota.bound ? nil : "\(quota.name): \(sum)"
        }
    }

    /// From now on the shared state has to show them.
    mutating func count(_ cost: Int64, _ slot: Slot, in moment: Timestamp) {
        for window in Window.allCases { counted[count(slot, window, moment), default: 0] += cost }
    }

    func used(_ slot: Slot, _ counter: Tally.Counter, _ window: Window) -> Int64 {
        counted[Count(slot: slot, window: window, index: counter.index)] ?? 0
    }

    /// All that was granted is shown, and nothing else.
    var isAllCounted: Bool { granted == counted.filter { $0.value > 0 } }

    private func count(_ slot: Slot, _ window: Window, _ moment: Timestamp) -> Count {
        Count(slot: slot, window: window, index: window.index(of: moment))
    }

    // MARK: Rates

    /// - Parameter uptime: milliseconds that have really gone by, whatever clocks said.
    func level(_ slot: Slot, _ rule: RateRule, at uptime: Int64) -> Int128 {
        guard let bucket = buckets[Rate(slot: slot, name: rule.name)] else { return 0 }
        return max(0, bucket.level - Int128(uptime - bucket.at) * Int128(rule.bound))
    }

    /// Pours units into the buckets. Those that run over.
    mutating func pour(_ cost: Int64, _ slot: Slot, at uptime: Int64) -> [String] {
        guard cost > 0 else { return [] }
        return rates(of: slot).compactMap { rule in
            let level = level(slot, rule, at: uptime) + Int128(cost) * Int128(rule.period)
            buckets[Rate(slot: slot, name: rule.name)] = (level, uptime)
            let isOver = level > Int128(rule.burst) * Int128(rule.period)
            return isOver ? "\(rule.name): \(level)" : nil
        }
    }
}
