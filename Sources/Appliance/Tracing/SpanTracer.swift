import Domain
import Tracing

/// Begins spans, and hands those that are recorded to the exporter's outbox.
///
/// Who is called by somebody that records is recorded; of what begins here, the part that
/// `otlp.sample_ratio` says (the specification's ParentBased over TraceIdRatioBased). A step of a
/// trace that is not recorded costs one look at its context.
final class SpanTracer: Tracer {
    typealias Span = RecordedSpan

    /// At some 2 KB each, 4 MB at most.
    static let waitingMax = 2048
    /// Spans of one request to the collector.
    static let batchMax = 512

    let outbox = Outbox<SpanRecord>(capacity: waitingMax, full: batchMax)
    private let sampler: SpanSampler
    private let random: @Sendable () -> UInt64

    init(
        ratio: Double,
        random: @escaping @Sendable () -> UInt64 = { UInt64.random(in: 1 ... .max) }
    ) {
        sampler = SpanSampler(ratio: ratio)
        self.random = random
    }

    // MARK: For our own steps

    /// A span of what begins here or comes from outside, and the context of all that it does. The
    /// context has a trace's id in any case, for the log.
    ///
    /// - Parameter remote: the caller's place.
    func root(
        _ name: String, _ kind: SpanKind, from remote: TraceContext?,
        in context: inout InstrumentationContext
    ) -> RecordedSpan? {
        let id = remote?.traceID ?? TraceContext.ID(high: random(), low: random())
        let own = TraceContext(
            traceID: id, spanID: random(),
            isSampled: remote?.isSampled ?? sampler.takes(id), state: remote?.state ?? "")
        context.trace = own
        guard own.isSampled else { return nil }
        return record(name, kind, own, parent: remote, context, at: DefaultTracerClock.now)
    }

    /// A span below the context's; nil when that is not recorded.
    func child(
        _ name: String, _ kind: SpanKind, of context: inout InstrumentationContext
    ) -> RecordedSpan? {
        guard let parent = context.trace, parent.isSampled else { return nil }
        let own = self.own(below: parent)
        context.trace = own
        return record(name, kind, own, parent: parent, context, at: DefaultTracerClock.now)
    }

    /// Runs a step as a span below the task's, or without one.
    func span<Value, Failure: Error>(
        _ name: String, _ kind: SpanKind = .internal,
        _ attributes: @autoclosure () -> SpanAttributes = [:],
        isolation: isolated (any Actor)? = #isolation,
        _ body: () async throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        guard var context = InstrumentationContext.current,
            let span = child(name, kind, of: &context)
        else { return try await body() }
        span.attributes = attributes()
        return try await span.run(body)
    }

    private func own(below parent: TraceContext) -> TraceContext {
        TraceContext(
            traceID: parent.traceID, spanID: random(), isSampled: parent.isSampled,
            state: parent.state)
    }

    private func record(
        _ name: String, _ kind: SpanKind, _ own: TraceContext, parent: TraceContext?,
        _ context: InstrumentationContext, at begin: some TracerInstant
    ) -> RecordedSpan {
        RecordedSpan(
            SpanRecord(
                name: name, trace: own, parent: parent, kind: kind,
                begin: begin.nanosecondsSinceEpoch),
            context: context
        ) { [outbox] in outbox.put($0) }
    }

    // MARK: For libraries

    func startSpan<Instant: TracerInstant>(
        _ operationName: String, context: @autoclosure () -> InstrumentationContext,
        ofKind kind: SpanKind, at instant: @autoclosure () -> Instant, function: String,
        file fileID: String, line: UInt
    ) -> RecordedSpan {
        var context = context()
        let parent = context.trace
        let id = parent?.traceID ?? TraceContext.ID(high: random(), low: random())
        let own =
            parent.map { self.own(below: $0) }
            ?? TraceContext(traceID: id, spanID: random(), isSampled: sampler.takes(id))
        context.trace = own
        guard own.isSampled else {
            return RecordedSpan(nil, context: context) { _ in }
        }
        return record(operationName, kind, own, parent: parent, context, at: instant())
    }

    func forceFlush() { outbox.sendNow() }

    func extract<Carrier, Extract: Extractor>(
        _ carrier: Carrier, into context: inout InstrumentationContext, using extractor: Extract
    ) where Extract.Carrier == Carrier {
        guard let parent = extractor.extract(key: "traceparent", from: carrier) else { return }
        let state = extractor.extract(key: "tracestate", from: carrier)
        context.trace = TraceContext(traceparent: parent, state: state.map { [$0] } ?? [])
    }

    func inject<Carrier, Inject: Injector>(
        _ context: InstrumentationContext, into carrier: inout Carrier, using injector: Inject
    ) where Inject.Carrier == Carrier {
        guard let trace = context.trace else { return }
        injector.inject(trace.traceparent, forKey: "traceparent", into: &carrier)
        if !trace.state.isEmpty {
            injector.inject(trace.state, forKey: "tracestate", into: &carrier)
        }
    }
}

/// Takes the same part of all traces on every machine: by the trace's id.
struct SpanSampler: Sendable {
    private let bound: UInt64

    /// - Parameter ratio: from 0, none, to 1, all.
    init(ratio: Double) { bound = UInt64(min(max(ratio, 0), 1) * 0x1p63) }

    func takes(_ id: TraceContext.ID) -> Bool { id.low >> 1 < bound }
}

extension RecordedSpan {
    /// Runs `body` within this span, and ends it.
    func run<Value, Failure: Error>(
        isolation: isolated (any Actor)? = #isolation,
        _ body: () async throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        let result: Result<Value, Failure> =
            await InstrumentationContext.$current.withValue(context) {
                do throws(Failure) {
                    return .success(try await body())
                } catch {
                    return .failure(error)
                }
            }
        if case .failure(let error) = result { fail(with: error) }
        end()
        return try result.get()
    }

    /// The step failed: with a problem's code, or the error's type.
    func fail(with error: any Error) {
        let code = (error as? Problem)?.code.rawValue
        set("error.type", .string(code ?? "\(type(of: error))"))
        setStatus(SpanStatus(code: .error))
    }
}
