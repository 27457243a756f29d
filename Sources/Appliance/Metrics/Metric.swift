import Store

/// What is measured. Alerts and dashboards elsewhere rely on the name: it is never used again for
/// something else.
struct Metric: Sendable, Hashable {
    enum Kind: String, Sendable { case counter, gauge, histogram }

    /// As it is asked for: a counter's ends with `_total`.
    let name: String
    let kind: Kind
    let help: String
    /// What its values are in; the name says it too (OpenMetrics). Nil for mere numbers.
    let unit: Unit?
    /// Names of the labels that each series has a value for.
    let labels: [String]

    enum Unit: String, Sendable { case seconds, bytes }

    static func counter(
        _ name: String, _ help: String, unit: Unit? = nil, by labels: String...
    ) -> Metric {
        Metric(name: name, kind: .counter, help: help, unit: unit, labels: labels)
    }

    static func gauge(
        _ name: String, _ help: String, unit: Unit? = nil, by labels: String...
    ) -> Metric {
        Metric(name: name, kind: .gauge, help: help, unit: unit, labels: labels)
    }

    static func histogram(
        _ name: String, _ help: String, unit: Unit? = nil, by labels: String...
    ) -> Metric {
        Metric(name: name, kind: .histogram, help: help, unit: unit, labels: labels)
    }
}

/// A metric as it is at one moment.
struct Measurement: Sendable {
    enum Value: Sendable {
        case number(Double)
        case histogram(Histogram.Counts)
    }

    struct Series: Sendable {
        /// One for each of the metric's labels.
        let labels: [String]
        let value: Value
    }

    let metric: Metric
    let series: [Series]

    init(_ metric: Metric, _ series: [Series]) {
        self.metric = metric
        self.series = series
    }

    /// Of a metric without labels. Nil: there is no such thing right now, so no series.
    init(_ metric: Metric, _ value: Double?) {
        self.init(metric, value.map { [Series(labels: [], value: .number($0))] } ?? [])
    }

    init(_ metric: Metric, _ value: some BinaryInteger) { self.init(metric, Double(value)) }

    init(_ metric: Metric, _ value: Duration?) { self.init(metric, value.map { $0 / .seconds(1) }) }

    init(_ metric: Metric, _ times: TimeBuckets) {
        self.init(
            metric, [Series(labels: [], value: .histogram(Histogram.Counts(times)))])
    }

    init(_ metric: Metric, each values: some Sequence<(labels: [String], value: Double)>) {
        self.init(metric, values.map { Series(labels: $0.labels, value: .number($0.value)) })
    }
}
