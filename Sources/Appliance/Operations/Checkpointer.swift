import Domain
import Logging
import ServiceLifecycle
import Store

/// Folds what memory has counted into the store each `limits.checkpoint_interval`, and once more
/// when everything else has stopped: a clean stop loses nothing, a kill at most one interval.
struct Checkpointer: Service {
    let appliance: Appliance

    func run() async throws {
        let interval = appliance.configuration.limits.checkpointInterval
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                do { try await Task.sleep(for: interval) } catch { break }
                await save()
            }
        }
        await save()
    }

    private func save() async {
        do throws(Problem) {
            try await appliance.checkpoint()
        } catch {
            appliance.logger.error(
                "counts could not be saved; they stay in memory",
                metadata: ["cause": "\(error.cause ?? error.detail)"])
        }
    }
}

extension Appliance {
    /// Writes what the store does not have yet, in one transaction. One at a time: a batch is
    /// folded before the next one is closed.
    package func checkpoint() async throws(Problem) {
        try await turnstile.pass { () throws(Problem) in try await self.fold() }
    }

    private func fold() async throws(Problem) {
        let closed = gatekeeper.journal.close()
        let (deltas, rates) =
            closed.map { gatekeeper.unsaved($0.users, batch: $0.batch) } ?? ([], [])
        let notes = authenticator.takeNotes()
        let throttles = throttle.takeUnsaved()
        guard closed != nil || !notes.isEmpty || !throttles.isEmpty else { return }
        let kept = rates + throttles
        do throws(Problem) {
            try await store.write { db throws(Problem) in
                if let closed { _ = try db.usage.fold(deltas, batch: closed.batch) }
                try db.rateStates.save(kept)
                for (session, delivery) in notes.deliveries {
                    try db.sessions.markDelivered(
                        session, generation: delivery.generation, at: delivery.at)
                }
                for (session, at) in notes.sessionUses { try db.sessions.touch(session, at: at) }
                for (key, at) in notes.keyUses { try db.apiKeys.recordUse(key, at: at) }
            }
        } catch {
            // The batch stays closed and is folded again; the store knows if it was after all.
            authenticator.putBack(notes)
            throttle.putBack(throttles)
            throw error
        }
        guard let closed else { return }
        gatekeeper.journal.didFold(closed.batch)
        for user in closed.users { gatekeeper.tidy(user) }
    }
}
