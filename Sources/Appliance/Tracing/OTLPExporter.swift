import Domain
import Logging
import ServiceLifecycle
import Synchronization

/// Sends spans to a collector, in batches, until everything else has stopped.
///
/// One request at a time. What the collector may take later is tried again (OTLP, "Retryable
/// Response Codes"), a bounded number of times with growing waits; meanwhile the outbox fills, and
/// what does not fit is dropped. A collector that is away is said once in the log, and once when it
/// is back: no line for each batch.
final class OTLPExporter: Service {
    private static let attemptsMax = 5
    private static let backoff = Backoff(base: .seconds(1), cap: .seconds(30))
    /// A collector that asks for a longer wait is asked again after this one.
    private static let waitMax: Duration = .seconds(300)

    private let tracer: SpanTracer
    private let client: ReportClient
    private let interval: Duration
    private let request: OTLPRequest
    private let clock: WallClock
    private let logger: Logger
    private let isAway = Atomic<Bool>(false)
    private let sent = Atomic<UInt64>(0)
    private let lost = Atomic<UInt64>(0)
    private let rejected = Atomic<UInt64>(0)

    init(
        _ configuration: Configuration.OTLP, to url: ReportURL, tracer: SpanTracer,
        clock: WallClock, logger: Logger
    ) throws(UnusableAuthorities) {
        self.tracer = tracer
        self.clock = clock
        self.logger = logger
        interval = configuration.interval
        client = try ReportClient(
            url.appending("/v1/traces"),
            fields: [("Content-Type", "application/json")]
                + configuration.headers.map { ($0.name, $0.value.text) },
            section: "otlp", caFile: configuration.caFile, timeout: configuration.timeout)
        let own = [
            ("service.name", "gatehouse"), ("service.version", Gatehouse.version),
            ("host.name", Machine.hostName), ("process.pid", "\(Machine.processID)"),
            ("telemetry.sdk.name", "gatehouse"), ("telemetry.sdk.language", "swift"),
            ("telemetry.sdk.version", Gatehouse.version),
        ]
        // What the operator says comes first: of one name the first one counts.
        let told = configuration.attributes.map { ($0.name, $0.value) }
        request = OTLPRequest(
            resource: told + own.filter { name, _ in !told.contains { $0.0 == name } })
    }

    /// Spans by what became of them, for the metrics.
    var counts: [(outcome: String, count: UInt64)] {
        [
            ("sent", sent.load(ordering: .relaxed)), ("lost", lost.load(ordering: .relaxed)),
            ("rejected", rejected.load(ordering: .relaxed)), ("dropped", tracer.outbox.dropped),
        ]
    }

    func run() async throws {
        await tracer.outbox.serve(every: interval, clock: clock) { await self.sendAll() }
    }

    private func sendAll() async {
        while true {
            let batch = tracer.outbox.take(atMost: SpanTracer.batchMax)
            guard !batch.isEmpty else { return }
            await send(batch)
        }
    }

    private func send(_ batch: [SpanRecord]) async {
        let body = request.encode(batch)
        for attempt in 1...Self.attemptsMax {
            let wait: Duration?
            do throws(ReportFailure) {
                let answer = try await client.post(body)
                if answer.status / 100 == 2 { return accepted(batch.count, answer) }
                guard [429, 502, 503, 504].contains(answer.status) else {
                    return gaveUp(batch.count, "the collector says \(answer.status)")
                }
                wait = answer.retryAfter
                tell("the collector says \(answer.status)")
            } catch {
                wait = nil
                tell(error.reason)
            }
            // Nobody waits for a collector at the end.
            if attempt == Self.attemptsMax || tracer.outbox.isClosed { break }
            var random = SystemRandomNumberGenerator()
            let least = Self.backoff.wait(after: Int64(attempt), using: &random)
            let rest = min(max(wait ?? .zero, least), Self.waitMax)
            do { try await clock.sleep(clock.now() + rest) } catch { break }
        }
        lost.wrappingAdd(UInt64(batch.count), ordering: .relaxed)
    }

    /// A 2xx may still say that some were refused, which is not tried again.
    private func accepted(_ count: Int, _ answer: ReportAnswer) {
        let partial = (try? JSONParser.parse(answer.body))?["partialSuccess"]
        let refused = min(count, Self.count(partial?["rejectedSpans"]))
        sent.wrappingAdd(UInt64(count - refused), ordering: .relaxed)
        rejected.wrappingAdd(UInt64(refused), ordering: .relaxed)
        if refused > 0 { tell("some spans were rejected") }
        if refused == 0, isAway.exchange(false, ordering: .relaxed) {
            logger.notice("spans are taken again")
        }
    }

    /// 64-bit numbers are texts in this JSON; some collectors write numbers all the same.
    private static func count(_ value: JSON?) -> Int {
        switch value {
        case .string(let text): max(0, Int(text) ?? 0)
        case .integer(let number): max(0, Int(clamping: number))
        default: 0
        }
    }

    private func gaveUp(_ count: Int, _ reason: String) {
        rejected.wrappingAdd(UInt64(count), ordering: .relaxed)
        tell(reason)
    }

    private func tell(_ reason: String) {
        guard !isAway.exchange(true, ordering: .relaxed) else { return }
        logger.warning("spans cannot be sent", metadata: ["cause": "\(reason)"])
    }
}
