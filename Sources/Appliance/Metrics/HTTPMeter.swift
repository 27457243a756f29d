import Synchronization

/// What is known of the requests that passed `Front`. No label comes from a client as it is: a path
/// is its route's pattern, a method one of those there are (security G5).
final class HTTPMeter: Sendable {
    struct Request: Hashable, Sendable {
        let method: String
        let route: String
        let status: Int
    }

    struct Work: Hashable, Sendable {
        let method: String
        let route: String
    }

    /// Room for twenty statuses of each route; most have three or four.
    private static let requestsMax = 2000
    /// Each has 14 buckets.
    private static let worksMax = 400

    private let requests = LabelledCells<Request, Counter>(atMost: requestsMax) { Counter() }
    private let durations = LabelledCells<Work, Histogram>(atMost: worksMax) { Histogram() }
    private let inFlight = Atomic<Int>(0)

    func begin() { inFlight.wrappingAdd(1, ordering: .relaxed) }

    /// - Parameter route: nil when no route took the request.
    func end(
        method: String, route: String?, status: Int, took: Duration, exemplar: Exemplar? = nil
    ) {
        let method = Self.known(method)
        let route = route ?? "unrouted"
        requests.cell(Request(method: method, route: route, status: status)).next()
        durations.cell(Work(method: method, route: route)).record(
            took, exemplar: exemplar)
        inFlight.wrappingSubtract(1, ordering: .relaxed)
    }

    /// The method, or `other` for one that nobody knows.
    static func known(_ method: String) -> String { methods.contains(method) ? method : other }

    static let other = "other"
    private static let methods: Set = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"]

    var measurements: [Measurement] {
        typealias Series = Measurement.Series
        var counted = requests.all.map { labels, counter in
            Series(
                labels: [labels.method, labels.route, String(labels.status)],
                value: .number(Double(counter.current)))
        }
        if let rest = requests.overflow {
            counted.append(
                Series(
                    labels: [Self.other, Self.other, Self.other],
                    value: .number(Double(rest.current))))
        }
        var timed = durations.all.map { labels, histogram in
            Series(labels: [labels.method, labels.route], value: .histogram(histogram.counts))
        }
        if let rest = durations.overflow {
            timed.append(
                Series(labels: [Self.other, Self.other], value: .histogram(rest.counts)))
        }
        return [
            Measurement(.httpRequests, counted), Measurement(.httpDuration, timed),
            Measurement(.httpInFlight, inFlight.load(ordering: .relaxed)),
        ]
    }
}
