import Synchronization
import Tracing

/// One step of a trace as it is exported.
struct SpanRecord: Sendable {
    var name: String
    let trace: TraceContext
    /// Nil: the first step of its trace.
    let parent: TraceContext?
    let kind: SpanKind
    /// Nanoseconds since 1970.
    let begin: UInt64
    var end: UInt64 = 0
    var attributes = SpanAttributes()
    var events: [SpanEvent] = []
    var links: [SpanLink] = []
    var status: SpanStatus?

    /// What one span may hold, as the OpenTelemetry specification has it by default for attributes.
    fileprivate static let attributesMax = 128
    fileprivate static let eventsMax = 32
}

/// A step while it runs. What is told after its end, or of a step that is not recorded, is dropped.
final class RecordedSpan: Tracing.Span {
    let context: InstrumentationContext
    let isRecording: Bool
    private let state: Mutex<SpanRecord?>
    private let finish: @Sendable (SpanRecord) -> Void

    init(
        _ record: SpanRecord?, context: InstrumentationContext,
        finish: @escaping @Sendable (SpanRecord) -> Void
    ) {
        self.context = context
        self.finish = finish
        isRecording = record != nil
        state = Mutex(record)
    }

    var operationName: String {
        get { state.withLock { $0?.name ?? "" } }
        set { state.withLock { $0?.name = newValue } }
    }

    var attributes: SpanAttributes {
        get { state.withLock { $0?.attributes ?? [:] } }
        set {
            state.withLock { record in
                guard newValue.count <= SpanRecord.attributesMax else { return }
                record?.attributes = newValue
            }
        }
    }

    /// One attribute, without a copy of the others.
    func set(_ name: String, _ value: SpanAttribute) {
        state.withLock { record in
            guard let count = record?.attributes.count, count < SpanRecord.attributesMax else {
                return
            }
            record?.attributes[name] = value
        }
    }

    func setStatus(_ status: SpanStatus) { state.withLock { $0?.status = status } }

    func addEvent(_ event: SpanEvent) {
        state.withLock { record in
            guard let count = record?.events.count, count < SpanRecord.eventsMax else { return }
            record?.events.append(event)
        }
    }

    /// The error's type alone: what it says may hold what should not leave the machine.
    func recordError<Instant: TracerInstant>(
        _ error: any Error, attributes: SpanAttributes, at instant: @autoclosure () -> Instant
    ) {
        var told = attributes
        told["exception.type"] = "\(type(of: error))"
        addEvent(SpanEvent(name: "exception", at: instant(), attributes: told))
    }

    func addLink(_ link: SpanLink) {
        state.withLock { record in
            guard let count = record?.links.count, count < SpanRecord.eventsMax else { return }
            record?.links.append(link)
        }
    }

    func end<Instant: TracerInstant>(at instant: @autoclosure () -> Instant) {
        let ended: SpanRecord? = state.withLock { record in
            defer { record = nil }
            return record
        }
        guard var ended else { return }
        // A clock that was set back gives no negative time.
        ended.end = max(ended.begin, instant().nanosecondsSinceEpoch)
        finish(ended)
    }
}
