import Domain
import Logging
import ServiceLifecycle
import Store

/// The work that time brings: subscriptions that run out, tokens nobody can use any more, signing
/// keys that are old. Each round is small, and whatever is left waits for the next.
struct Upkeep: Service {
    let appliance: Appliance

    private static let interval: Duration = .seconds(60)

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                do { try await Task.sleep(for: Self.interval) } catch { break }
                do throws(Problem) {
                    try await appliance.upkeep()
                } catch {
                    appliance.logger.error(
                        "upkeep failed", metadata: ["cause": "\(error.cause ?? error.detail)"])
                }
            }
        }
    }
}

extension Appliance {
    /// Rows of one round and kind: a few milliseconds of the writer.
    private static let upkeepRowsMax = 500
    /// Usage events come by the thousand: 80 a second keep up with what one service sends.
    private static let eventRowsMax = 5000
    /// Sessions, tokens, leases and reservations are kept this long after their end, so that a late
    /// reuse still shows.
    private static let endedKept: Duration = .seconds(7 * 86_400)
    /// Throttles drain within an hour; a run of wrong passwords is remembered for a day. What is
    /// older is noise, and a flood of it would be read at every start.
    private static let ratesKept: Duration = .seconds(24 * 3600)

    package func upkeep() async throws(Problem) {
        let now = clock.now()
        let due = try await store.read { db throws(Problem) in
            try db.subscriptions.due(at: now, atMost: Self.upkeepRowsMax)
        }
        for user in due { try await gatekeeper.settle(user, at: now) }
        try await store.write { db throws(Problem) in
            let ended = now - Self.endedKept
            _ = try db.sessions.prune(endedBefore: ended, atMost: Self.upkeepRowsMax)
            _ = try db.oneTimeTokens.prune(endedBefore: now, atMost: Self.upkeepRowsMax)
            _ = try db.leases.prune(endedBefore: ended, atMost: Self.upkeepRowsMax)
            _ = try db.reservations.prune(endedBefore: ended, atMost: Self.upkeepRowsMax)
            _ = try db.usageEvents.prune(
                recordedBefore: now - UsageEvents.kept, atMost: Self.eventRowsMax)
            _ = try db.idempotencyKeys.prune(
                createdBefore: now - IdempotencyKeys.kept, atMost: Self.upkeepRowsMax)
            _ = try db.activity.prune(
                before: now - Activity.hoursKept, atMost: Self.upkeepRowsMax)
            _ = try db.rateStates.prune(
                updatedBefore: now - Self.ratesKept, atMost: Self.upkeepRowsMax)
        }
        _ = try await pruneAudit(at: now)
        if try keyRing.rotateIfDue(age: configuration.auth.signingKeyMaxAge, at: now) {
            logger.notice("signing key rotated")
        }
    }
}
