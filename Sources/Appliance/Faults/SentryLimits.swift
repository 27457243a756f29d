import Domain
import Synchronization

/// What Sentry does not want for a while (develop.sentry.dev, "Rate Limiting"). Either
/// `X-Sentry-Rate-Limits: seconds:category;category:scope:reason, …`, or a 429 with `Retry-After`.
final class SentryLimits: Sendable {
    private struct Ends {
        /// No event.
        var error = Timestamp.epoch
        /// Nothing at all.
        var all = Timestamp.epoch
    }

    private static let waitDefault: Duration = .seconds(60)
    /// A server that is wrong about the time does not silence us for good.
    private static let waitMax: Duration = .seconds(86_400)

    private let ends = Mutex(Ends())

    func note(_ answer: ReportAnswer, at now: Timestamp) {
        let fields = answer.headers["X-Sentry-Rate-Limits"]
        guard fields.isEmpty else {
            for field in fields { for limit in field.split(separator: ",") { note(limit, now) } }
            return
        }
        guard answer.status == 429 else { return }
        let end = now + min(answer.retryAfter ?? Self.waitDefault, Self.waitMax)
        ends.withLock { $0.all = max($0.all, end) }
    }

    private func note(_ limit: Substring, _ now: Timestamp) {
        let parts = limit.split(separator: ":", omittingEmptySubsequences: false)
        guard let first = parts.first,
            let seconds = Double(first.filter { $0 != " " }), seconds.isFinite
        else { return }
        let wait = min(.milliseconds(Int64(max(0, min(seconds, 1e6)) * 1000)), Self.waitMax)
        let categories = parts.count > 1 ? parts[1].split(separator: ";") : []
        ends.withLock { ends in
            if categories.isEmpty { ends.all = max(ends.all, now + wait) }
            // `default` is what an event without a more particular category is in.
            if categories.contains("error") || categories.contains("default") {
                ends.error = max(ends.error, now + wait)
            }
        }
    }

    func allowsEvents(at now: Timestamp) -> Bool { ends.withLock { now >= max($0.error, $0.all) } }

    func allowsReports(at now: Timestamp) -> Bool { ends.withLock { now >= $0.all } }
}
