/// What a request asks to be charged for.
package struct Demand: Equatable, Sendable {
    package let metric: String
    /// Units of the metric, 0 or more; 0 asks without taking.
    package let cost: Int64
    /// A thing that comes to exist by this request, counted against `max_<resource>`.
    package let resource: String?

    package init(metric: String, cost: Int64 = 1, resource: String? = nil) {
        self.metric = metric
        self.cost = cost
        self.resource = resource
    }

    /// What every call of `/gate` and `/items` counts.
    package static let requests = "requests"
    /// Metrics that one customer can have counters for at a time: bounds memory against a client
    /// that invents names.
    package static let metricsMax = 64
    package static let costMax: Int64 = 1_000_000
}

/// One limit at the moment of a decision, as answers and headers show it.
package struct LimitState: Equatable, Sendable {
    package let name: String
    package let allowed: Int64
    /// What is held by reservations is part of it.
    package let used: Int64
    package let remaining: Int64
    package let resetsAt: Timestamp
    /// Length of the window, or the time in which a rate's tokens come back; 0 where there is none.
    package let windowSeconds: Int64

    package init(
        name: String, allowed: Int64, used: Int64, remaining: Int64, resetsAt: Timestamp,
        windowSeconds: Int64
    ) {
        self.name = name
        self.allowed = allowed
        self.used = used
        self.remaining = remaining
        self.resetsAt = resetsAt
        self.windowSeconds = windowSeconds
    }
}

extension ByteWriter {
    /// The `limits` of the gate's answer, in JSON. By index: to take a state out counts references.
    package mutating func append(_ states: [LimitState]) {
        append("[")
        let states = states.span
        for index in states.indices {
            append(index > 0 ? #",{"limit":"# : #"{"limit":"#)
            append(quoted: states[index].name)
            append(#","allowed":"#)
            append(bounded: states[index].allowed)
            append(#","used":"#)
            append(bounded: states[index].used)
            append(#","remaining":"#)
            append(bounded: states[index].remaining)
            append(#","resets_at":""#)
            append(states[index].resetsAt)
            append(#""}"#)
        }
        append("]")
    }

    /// Our own counts stop at 2^53, which every reader keeps exact.
    private mutating func append(bounded value: Int64) {
        append(decimal: min(value, JSON.integerMax))
    }
}

/// The answer to whatever a customer asks for. All but a grant have taken nothing from any limit;
/// the limits as they stand, and what is to be journalled, are in the `Review`.
package enum Decision: Equatable, Sendable {
    case granted
    case refused(Refusal)
    /// No active plan.
    case unsubscribed
    /// The subscription has run out since it was loaded: load again, then ask again.
    case stale
    /// The customer uses as many metrics as one customer can.
    case tooManyMetrics
    /// The customer has as many live reservations, or leases, as one customer can.
    case tooManyLive
    /// The reservation or lease that was named lives no more.
    case lost
}

package struct Refusal: Equatable, Sendable {
    package enum Reason: Equatable, Sendable { case rate, quota, concurrency, stock }

    package let reason: Reason
    package let state: LimitState
    /// When the same demand can pass; for one that never can, when the limit is next fresh. Nil for
    /// a stock, which time does not free.
    package let retryAt: Timestamp?
    /// False when no waiting helps under these limits: the demand is larger than they ever allow.
    package internal(set) var canEverPass: Bool
}
