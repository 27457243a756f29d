import Domain
import Logging
import ServiceLifecycle
import Synchronization

/// Sends faults to Sentry one by one, and what could not be sent as a client report with the next
/// one. Nothing is tried again: a fault that comes back is reported anew, and one that does not is
/// in the log.
final class SentrySender: Service {
    /// How often discards are told when there is no event to tell them with.
    private static let interval: Duration = .seconds(60)

    private let reporter: FaultReporter
    private let client: ReportClient
    private let envelope: SentryEnvelope
    private let limits = SentryLimits()
    private let clock: WallClock
    private let logger: Logger
    private let state = Mutex(State())

    private struct State {
        var discards: SentryEnvelope.Discards = [:]
        /// Of the outbox's drops, those that are among the discards.
        var dropsCounted: UInt64 = 0
        var sent: UInt64 = 0
        var discarded: UInt64 = 0
        var isAway = false
    }

    init(
        _ configuration: Configuration.Sentry, to dsn: SentryDSN, reporter: FaultReporter,
        clock: WallClock, logger: Logger
    ) throws(UnusableAuthorities) {
        self.reporter = reporter
        self.clock = clock
        self.logger = logger
        let client = "gatehouse/\(Gatehouse.version)"
        let credential =
            "Sentry sentry_version=7, sentry_client=\(client), sentry_key=\(dsn.key.text)"
        self.client = try ReportClient(
            dsn.url,
            fields: [
                ("Content-Type", "application/x-sentry-envelope"), ("X-Sentry-Auth", credential),
            ], section: "sentry", caFile: configuration.caFile, timeout: configuration.timeout)
        envelope = SentryEnvelope(
            environment: configuration.environment, serverName: Machine.hostName)
    }

    /// Faults by what became of them, for the metrics.
    var counts: [(outcome: String, count: UInt64)] {
        let drops = reporter.outbox.dropped
        return state.withLock { state in
            [
                ("sent", state.sent),
                ("discarded", state.discarded + drops - state.dropsCounted),
            ]
        }
    }

    func run() async throws {
        await reporter.outbox.serve(every: Self.interval, clock: clock) { await self.sendAll() }
    }

    /// What is waiting, and then what was discarded and nobody was told of.
    func sendAll() async {
        while let fault = reporter.outbox.take(atMost: 1).first {
            guard limits.allowsEvents(at: clock.now()) else {
                discard(.rateLimited)
                continue
            }
            await send(fault)
        }
        guard limits.allowsReports(at: clock.now()) else { return }
        let discards = takeDiscards()
        if !discards.isEmpty { _ = await post(nil, discards) }
    }

    private func send(_ fault: Fault) async {
        switch await post(fault, takeDiscards()) {
        case nil: state.withLock { $0.sent += 1 }
        case let why?: discard(why)
        }
    }

    /// Nil when it was taken. Discards that were not taken are told with the next one.
    private func post(
        _ fault: Fault?, _ discards: SentryEnvelope.Discards
    ) async -> SentryEnvelope.Discard? {
        let body = envelope.encode(fault, discards: discards, at: clock.now())
        let why: SentryEnvelope.Discard?
        do throws(ReportFailure) {
            let answer = try await client.post(body)
            limits.note(answer, at: clock.now())
            switch answer.status {
            case 200..<300: why = nil
            case 429: why = .rateLimited
            default:
                why = .refused
                tell("Sentry says \(answer.status)")
            }
        } catch {
            why = .network
            tell(error.reason)
        }
        if why == nil {
            state.withLock { $0.isAway = false }
        } else {
            state.withLock { $0.discards.merge(discards, uniquingKeysWith: +) }
        }
        return why
    }

    private func discard(_ why: SentryEnvelope.Discard) {
        state.withLock { state in
            state.discards[why, default: 0] += 1
            state.discarded += 1
        }
    }

    private func takeDiscards() -> SentryEnvelope.Discards {
        let drops = reporter.outbox.dropped
        return state.withLock { state in
            let fresh = drops - state.dropsCounted
            if fresh > 0 {
                state.discards[.queueOverflow, default: 0] += fresh
                state.discarded += fresh
                state.dropsCounted = drops
            }
            defer { state.discards = [:] }
            return state.discards
        }
    }

    /// A warning, since an error would be reported in turn; one for each time that it is away.
    private func tell(_ reason: String) {
        let isNews = state.withLock { state in
            defer { state.isAway = true }
            return !state.isAway
        }
        if isNews { logger.warning("errors cannot be reported", metadata: ["cause": "\(reason)"]) }
    }
}
