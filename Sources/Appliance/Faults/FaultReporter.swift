import Domain
import Logging
import Tracing

/// Takes every line of the log that is an error, or worse, for Sentry: whatever is worth an error
/// in the log is reported, and nothing has to be told twice.
package final class FaultReporter: Sendable {
    /// At some 2 KB each. A fault that comes a thousand times a second is not news after the first.
    static let waitingMax = 64

    /// Each is sent at once.
    let outbox = Outbox<Fault>(capacity: waitingMax, full: 1)
    private let clock: WallClock
    private let random: @Sendable () -> UInt64

    init(
        clock: WallClock = .system,
        random: @escaping @Sendable () -> UInt64 = { UInt64.random(in: 1 ... .max) }
    ) {
        self.clock = clock
        self.random = random
    }

    /// What Sentry shows besides the text. Other members of a line may name somebody.
    private static let told: Set<String> = [
        "request_id", "method", "route", "code", "kind", "job", "attempt", "attempts",
    ]

    func take(_ event: LogEvent, _ metadata: Logger.Metadata) {
        guard event.level >= .error else { return }
        let cause = metadata["cause"]?.description ?? event.error.map { "\($0)" } ?? ""
        report(
            event.message.description, cause: cause, isFatal: event.level == .critical,
            details: metadata.filter { Self.told.contains($0.key) }.mapValues(\.description))
    }

    /// For what has no line in the log.
    func report(
        _ what: String, cause: String, isFatal: Bool = false, details: [String: String]
    ) {
        outbox.put(
            Fault(
                what: what, cause: Scrubber.scrub(cause), isFatal: isFatal, at: clock.now(),
                details: details.mapValues(Scrubber.scrub),
                trace: InstrumentationContext.current?.trace,
                id: TraceContext.ID(high: random(), low: random())))
    }
}
