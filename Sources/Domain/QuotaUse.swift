/// How much of a quota is used.
package struct QuotaUse: Equatable, Sendable {
    /// What a customer is told of, in percent.
    package enum Threshold: Int64, Comparable, Sendable {
        case near = 80
        case reached = 100

        package static func < (a: Threshold, b: Threshold) -> Bool { a.rawValue < b.rawValue }
    }

    package let metric: String
    package let window: Window
    /// The number of the window (`Window.index`).
    package let index: Int64
    package let used: Int64
    package let bound: Int64
    package let allowsOverage: Bool

    package init(
        metric: String, window: Window, index: Int64, used: Int64, bound: Int64,
        allowsOverage: Bool
    ) {
        self.metric = metric
        self.window = window
        self.index = index
        self.used = used
        self.bound = bound
        self.allowsOverage = allowsOverage
    }

    package var resetsAt: Timestamp { window.end(of: index) }

    /// The highest that is reached; nil for a quota of nothing, which is no news.
    package var threshold: Threshold? {
        guard bound > 0 else { return nil }
        if used >= bound { return .reached }
        // Bounds stay below 2^53, so this does not overflow.
        return used * 100 >= bound * Threshold.near.rawValue ? .near : nil
    }
}

/// What a customer was told of their quotas: an entry for each metric and window.
package struct QuotaNotes: Equatable, Sendable {
    private struct Note: Equatable, Sendable {
        let metric: String
        let window: Window
        let index: Int64
        let threshold: QuotaUse.Threshold
    }

    private var notes: [Note] = []

    package init() {}

    package func has(_ use: QuotaUse, _ threshold: QuotaUse.Threshold) -> Bool {
        notes.contains {
            $0.metric == use.metric && $0.window == use.window && $0.index == use.index
                && $0.threshold >= threshold
        }
    }

    /// The window before is forgotten.
    package mutating func note(_ use: QuotaUse, _ threshold: QuotaUse.Threshold) {
        notes.removeAll { $0.metric == use.metric && $0.window == use.window }
        notes.append(
            Note(metric: use.metric, window: use.window, index: use.index, threshold: threshold))
    }
}

extension Customer {
    /// The account's quotas of a day or a month that have reached a threshold. Those of an hour are
    /// left out: they are a rate, and a mail each hour is no news.
    package func quotasToTell(at now: Timestamp) -> [QuotaUse] {
        guard let rules = standing?.rules else { return [] }
        var found: [QuotaUse] = []
        for meter in account.meters {
            for rule in rules.rules(for: meter.metric)?.quotas ?? [] where rule.window != .hour {
                let counter = meter.tally.counter(rule.window, at: now)
                let use = QuotaUse(
                    metric: meter.metric, window: rule.window, index: counter.index,
                    used: counter.used, bound: rule.bound, allowsOverage: rule.allowsOverage)
                if use.threshold != nil { found.append(use) }
            }
        }
        return found
    }
}
