import Domain
import Logging
import Store

/// The work that time brings: subscriptions that run out, rows nobody can use any more, signing
/// keys that are old. Each is a kind of job with a schedule of its own, and does its work in small
/// transactions, so that no request waits long for the writer.
extension JobKind where Payload == NoPayload {
    static var expireSubscriptions: JobKind { JobKind("expire_subscriptions", .scheduled) }
    static var cleanUp: JobKind { JobKind("clean_up", .scheduled) }
    static var rotateSigningKey: JobKind { JobKind("rotate_signing_key", .scheduled) }
    static var rollUpUsage: JobKind { JobKind("roll_up_usage", .scheduled) }
}

extension Appliance {
    /// Rows of one transaction and table: a few milliseconds of the writer.
    private static let rowsMax = 500
    /// Transactions of one run and table; what is left waits for the next run.
    private static let partsMax = 1000
    /// Sessions, tokens, leases and reservations are kept this long after their end, so that a late
    /// reuse still shows.
    private static let endedKept: Duration = .seconds(7 * 86_400)
    /// Throttles drain within an hour: what is older is noise, and a flood of it would be read at
    /// every start.
    private static let ratesKept: Duration = .seconds(24 * 3600)
    /// A run of wrong guesses lasts until a success or a new password, however long that takes
    /// (security L1). Anybody can begin one at any address, so their number is bounded, at some
    /// 50 MB, and the shortest go first: to make a run of n forgotten takes a hundred thousand
    /// others of n, each guess a password hashed, for n guesses more.
    private static let runsMax = 100_000

    /// Writes down which subscriptions have run out. The gate refuses them at once without this.
    package func expireSubscriptions(at now: Timestamp) async throws(Problem) {
        try await inParts { () throws(Problem) in
            let due = try await self.store.read { db throws(Problem) in
                try db.subscriptions.due(at: now, atMost: Self.rowsMax)
            }
            for user in due {
                try self.goOn()
                try await self.gatekeeper.settle(user, at: now)
            }
            return due.count
        }
    }

    package func cleanUp(at now: Timestamp) async throws(Problem) {
        let ended = now - Self.endedKept
        let most = Self.rowsMax
        try await prune { db throws(Problem) in
            try db.sessions.prune(endedBefore: ended, atMost: most)
        }
        try await prune { db throws(Problem) in
            try db.oneTimeTokens.prune(endedBefore: now, atMost: most)
        }
        try await prune { db throws(Problem) in
            try db.leases.prune(endedBefore: ended, atMost: most)
        }
        try await prune { db throws(Problem) in
            try db.reservations.prune(endedBefore: ended, atMost: most)
        }
        try await prune { db throws(Problem) in
            try db.usageEvents.prune(recordedBefore: now - UsageEvents.kept, atMost: most)
        }
        try await prune { db throws(Problem) in
            try db.idempotencyKeys.prune(createdBefore: now - IdempotencyKeys.kept, atMost: most)
        }
        try await prune { db throws(Problem) in
            try db.rateStates.prune(updatedBefore: now - Self.ratesKept, atMost: most)
        }
        try await prune { db throws(Problem) in
            try db.rateStates.pruneRuns(keeping: Self.runsMax, atMost: most)
        }
        try await prune { db throws(Problem) in
            try db.quotaAlerts.prune(createdBefore: now - QuotaAlerts.kept, atMost: most)
        }
        try await prune { db throws(Problem) in
            try db.activity.prune(before: now - Activity.hoursKept, atMost: most)
        }
        try await prune { db throws(Problem) in
            try db.changes.prune(madeBefore: now - Changes.kept, atMost: most)
        }
        try await cluster?.registry.prune(at: now)
        try await inParts { () throws(Problem) in try await self.pruneAudit(at: now) }
        let kept = configuration.jobs
        try await prune { db throws(Problem) in
            try db.jobs.prune(.done, finishedBefore: now - kept.doneKept, atMost: most)
        }
        try await prune { db throws(Problem) in
            try db.jobs.prune(.dead, finishedBefore: now - kept.deadKept, atMost: most)
        }
    }

    package func rotateSigningKeyIfDue(at now: Timestamp) async throws(Problem) {
        if try await keyRing.rotateIfDue(age: configuration.auth.signingKeyMaxAge, at: now) {
            logger.notice("signing key rotated")
        }
    }

    /// Hours are in their days and days in their months already: the old ones are dropped.
    package func rollUpUsage(at now: Timestamp) async throws(Problem) {
        let kept = configuration.usage
        for (window, age) in [(Window.hour, kept.hoursKept), (.day, kept.daysKept)] {
            let period = window.period(window.index(of: now - age))
            try await prune { db throws(Problem) in
                try db.usage.prune(window, before: period, atMost: Self.rowsMax)
            }
        }
    }

    private func prune(
        _ part: @escaping @Sendable (any Connection) throws(Problem) -> Int
    ) async throws(Problem) {
        try await inParts { () throws(Problem) in try await self.store.write(part) }
    }

    /// Repeats a part until it has found less than it may take.
    private func inParts(_ part: () async throws(Problem) -> Int) async throws(Problem) {
        for _ in 0..<Self.partsMax {
            try goOn()
            guard try await part() >= Self.rowsMax else { return }
        }
    }

    /// Ends work whose time is over.
    private func goOn() throws(Problem) {
        if Task.isCancelled { throw Problem(.unavailable, "It was stopped before its end.") }
    }
}
