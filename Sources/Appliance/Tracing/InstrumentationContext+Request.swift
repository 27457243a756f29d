import HTTPTypes
import Logging
import Tracing

/// What travels with the task of a request or a job: its id and its place in a trace. Log lines and
/// spans take it from here, so nothing has to be handed from call to call.
extension InstrumentationContext {
    private enum RequestIDKey: InstrumentationContextKey { typealias Value = String }
    private enum TraceKey: InstrumentationContextKey { typealias Value = TraceContext }

    var requestID: String? {
        get { self[RequestIDKey.self] }
        set { self[RequestIDKey.self] = newValue }
    }

    var trace: TraceContext? {
        get { self[TraceKey.self] }
        set { self[TraceKey.self] = newValue }
    }
}

extension Logger.MetadataProvider {
    /// The request and the trace that a line belongs to.
    static let request = Logger.MetadataProvider {
        guard let context = InstrumentationContext.current else { return [:] }
        var metadata: Logger.Metadata = [:]
        if let id = context.requestID { metadata["request_id"] = "\(id)" }
        if let trace = context.trace {
            metadata["trace_id"] = "\(trace.traceID)"
            metadata["span_id"] = "\(TraceContext.hex(trace.spanID))"
        }
        return metadata
    }
}

extension TraceContext {
    /// The caller's place, from a request's headers. More than one `traceparent` is none.
    init?(_ fields: HTTPFields) {
        let parents = fields[values: .traceparent]
        guard parents.count == 1 else { return nil }
        self.init(traceparent: parents[0], state: fields[values: .tracestate])
    }
}
