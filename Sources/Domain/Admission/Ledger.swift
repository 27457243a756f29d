/// The counts that one set of rules is held against: a customer's, or one key's.
package struct Ledger: Equatable, Sendable {
    /// A handful: a scan beats hashing the name.
    package private(set) var meters: [Meter] = []

    package init() {}

    /// Where the meters are in memory, for whoever wants them fetched; 0 where there are none.
    package var address: UInt {
        meters.withUnsafeBytes { UInt(bitPattern: $0.baseAddress) }
    }

    package func meter(_ metric: String) -> Meter? { meters.first { $0.metric == metric } }

    package func tally(_ metric: String) -> Tally? { meter(metric)?.tally }

    package mutating func restore(_ entry: Tally.Entry, at now: Timestamp) {
        edit(entry.metric, at: now) { $0.restore(entry) }
    }

    /// By the name of its limit, such as `requests_per_second`; another name is passed over.
    package mutating func restore(_ name: String, _ rate: RateLimiter, at now: Timestamp) {
        guard case .rate(let metric, let period) = Limit.Kind(name: name) else { return }
        edit(metric, at: now) { meter in
            meter.restore(rate, per: period)
            meter.follow(now)
        }
    }

    /// Counts what the store has counted already: an event that a customer's service reported.
    package mutating func add(
        _ cost: Int64, of metric: String, usedAt then: Timestamp, at now: Timestamp
    ) {
        edit(metric, at: now) { $0.add(cost, usedAt: then, at: now) }
    }

    /// Undoes an `add` of that moment.
    package mutating func takeBack(_ cost: Int64, of metric: String, usedAt then: Timestamp) {
        editIfThere(metric) { $0.takeBack(cost, usedAt: then) }
    }

    mutating func forget(_ place: Int64) {
        for index in meters.indices { meters[index].forget(place) }
    }

    mutating func follow(_ now: Timestamp) {
        for index in meters.indices { meters[index].follow(now) }
    }

    /// The meter is made where there is none.
    mutating func edit(_ metric: String, at now: Timestamp, _ body: (inout Meter) -> Void) {
        let index =
            index(of: metric)
            ?? {
                meters.append(Meter(metric: metric, at: now))
                return meters.endIndex - 1
            }()
        body(&meters[index])
    }

    mutating func editIfThere(_ metric: String, _ body: (inout Meter) -> Void) {
        if let index = index(of: metric) { body(&meters[index]) }
    }

    /// False where there is a meter of that metric.
    mutating func add(_ meter: Meter) -> Bool {
        guard index(of: meter.metric) == nil else { return false }
        meters.append(meter)
        return true
    }

    func index(of metric: String) -> Int? { meters.firstIndex { $0.metric == metric } }
}
