import Domain
import Hummingbird
import Logging
import Tracing

/// Counts requests, traces those that are recorded, and tells which were slow.
struct RequestWatch: Sendable {
    let meter: HTTPMeter
    let tracer: SpanTracer?
    let faults: FaultReporter?
    let logger: Logger

    /// One request while it runs.
    struct Watched: Sendable {
        fileprivate let method: String
        fileprivate let begun: ContinuousClock.Instant
        fileprivate let span: RecordedSpan?
        /// For everything that is done for it.
        let context: InstrumentationContext
    }

    func begin(_ request: Request, id: String) -> Watched {
        meter.begin()
        var context = InstrumentationContext.topLevel
        context.requestID = id
        let remote = TraceContext(request.headers)
        let method = request.method.rawValue
        // Without a tracer of our own the log still tells the caller's trace.
        context.trace = remote
        let span = tracer?.root(
            HTTPMeter.known(method), .server, from: remote, in: &context)
        return Watched(
            method: method, begun: ContinuousClock.now, span: span, context: context)
    }

    /// - Parameter route: nil when no route took the request.
    func end(
        _ watched: Watched, route: String?, status: Int, at now: Timestamp, _ settings: Settings
    ) {
        let took = ContinuousClock.now - watched.begun
        meter.end(
            method: watched.method, route: route, status: status, took: took,
            exemplar: watched.span.flatMap { span in
                span.context.trace.map { Exemplar(took: took, trace: $0, at: now) }
            })
        watched.span?.endRequest(
            method: watched.method, route: route, status: status, isSecure: settings.isSecure)
        let slow = settings.configuration.log.slowRequest
        guard slow > .zero, took >= slow else { return }
        logger.warning(
            "slow request",
            metadata: [
                "method": "\(HTTPMeter.known(watched.method))",
                "route": "\(route ?? "unrouted")", "status": "\(status)",
                "milliseconds": "\(took.wholeMilliseconds)",
            ])
    }
}

extension RecordedSpan {
    /// Under the semantic conventions' names for HTTP servers, but for `url.path` and `url.query`,
    /// which may hold what should not leave the machine: the route's pattern stands for them.
    func endRequest(method: String, route: String?, status: Int, isSecure: Bool) {
        let known = HTTPMeter.known(method)
        var attributes: SpanAttributes = [
            "http.response.status_code": .int64(Int64(status)),
            "url.scheme": isSecure ? "https" : "http", "network.protocol.name": "http",
            "network.protocol.version": "1.1",
        ]
        attributes["http.request.method"] = known == HTTPMeter.other ? "_OTHER" : known
        let name = known == HTTPMeter.other ? "HTTP" : known
        if let route {
            attributes["http.route"] = route
            operationName = "\(name) \(route)"
        } else {
            operationName = name
        }
        // A refusal is the client's error, not the server's.
        if status >= 500 {
            attributes["error.type"] = String(status)
            setStatus(SpanStatus(code: .error))
        }
        self.attributes = attributes
        end()
    }
}
