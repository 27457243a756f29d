import Domain
import Logging
import NIOPosix
import ServiceLifecycle
import Store

/// Folds what memory has counted into the store each `limits.checkpoint_interval`, and once more
/// when everything else has stopped: a clean stop loses nothing, a kill at most one interval.
struct Checkpointer: Service {
    let appliance: Appliance

    /// A fold may take this part of the time, and leaves the rest to the next one: a customer's
    /// three counters cost the writer more than the requests that they count, when each request is
    /// another customer's. Those who are asked for more than once meanwhile are folded once.
    private static let share = 5

    func run() async throws {
        let interval = appliance.configuration.limits.checkpointInterval
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                do { try await Task.sleep(for: interval) } catch { break }
                await save(within: interval / Self.share)
            }
        }
        await save(within: nil)
    }

    private func save(within budget: Duration?) async {
        do throws(Problem) {
            try await appliance.checkpoint(within: budget)
        } catch {
            appliance.logger.error(
                "counts could not be saved; they stay in memory",
                metadata: ["cause": "\(error.cause ?? error.detail)"])
        }
    }
}

extension Appliance {
    /// Customers of one transaction: some 10 ms of the writer, for which other writes wait.
    private static let customersOfPartMax = 500

    /// Writes what the store does not have yet: all that was counted before the call, or what fits
    /// in the budget. One at a time.
    package func checkpoint(within budget: Duration? = nil) async throws(Problem) {
        try await turnstile.pass { () throws(Problem) in
            try await self.saveNotes()
            try await self.tellNoticed()
            // A customer whose counts are not in the store stays in memory. Past half of what there
            // is room for, they have to go.
            let isCrowded =
                self.gatekeeper.journal.backlog > self.configuration.limits.customersInMemory / 2
            let end = isCrowded ? nil : budget.map { ContinuousClock.now + $0 }
            // What an earlier fold has left comes first.
            var isWhole = try await self.foldParts(until: end)
            if isWhole, self.gatekeeper.journal.closeBatch() {
                isWhole = try await self.foldParts(until: end)
            }
            if !isWhole { await self.syncCounters() }
        }
    }

    /// Folds the closing batch; false when time was up before its end.
    private func foldParts(until end: ContinuousClock.Instant?) async throws(Problem) -> Bool {
        let now = clock.now()
        while let part = gatekeeper.journal.part(atMost: Self.customersOfPartMax) {
            if let end, ContinuousClock.now >= end { return false }
            let (deltas, rates) = gatekeeper.unsaved(part)
            let news = gatekeeper.news(of: part.users, at: now)
            let node = countsOwner
            // After an outcome that nobody heard of the same part is folded again; the store knows.
            try await store.write { db throws(Problem) in
                _ = try db.usage.fold(
                    deltas, batch: part.batch, through: part.through, node: node)
                try db.rateStates.save(rates)
                try self.tell(news, db, at: now)
            }
            gatekeeper.didFold(part)
            gatekeeper.didTell(news)
        }
        return true
    }

    /// Customers whose counts are in the store without a fold: of events and reservations.
    private func tellNoticed() async throws(Problem) {
        let now = clock.now()
        let users = gatekeeper.takeNoticed(atMost: Self.customersOfPartMax)
        let news = gatekeeper.news(of: users, at: now)
        guard !news.isEmpty else { return }
        do throws(Problem) {
            try await store.write { db throws(Problem) in try self.tell(news, db, at: now) }
        } catch {
            for user in users { gatekeeper.notice(user) }
            throw error
        }
        gatekeeper.didTell(news)
    }

    /// A power cut then loses no more than it does when every fold is whole.
    private func syncCounters() async {
        let journal = gatekeeper.journal
        let isSynced = try? await NIOThreadPool.singleton.runIfActive { journal.sync() }
        if isSynced == false { logger.error("the counter file cannot be synced") }
    }

    /// Uses of keys and sessions, throttles, and the dashboard's counts: what may be lost, and is
    /// worth keeping.
    private func saveNotes() async throws(Problem) {
        let notes = authenticator.takeNotes()
        let throttles = throttle.takeUnsaved()
        let requests = traffic.take()
        guard !notes.isEmpty || !throttles.isEmpty || !requests.isEmpty else { return }
        let now = clock.now()
        do throws(Problem) {
            try await store.write { db throws(Problem) in
                try db.rateStates.save(throttles)
                for (session, delivery) in notes.deliveries {
                    try db.sessions.markDelivered(
                        session, generation: delivery.generation, at: delivery.at)
                }
                for (session, at) in notes.sessionUses { try db.sessions.touch(session, at: at) }
                for (key, at) in notes.keyUses { try db.apiKeys.recordUse(key, at: at) }
                for (name, count) in requests.byName {
                    try db.activity.add(name, count, at: now)
                }
            }
        } catch {
            authenticator.putBack(notes)
            throttle.putBack(throttles)
            traffic.putBack(requests)
            throw error
        }
        throttle.didSave(throttles)
    }
}
