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
    /// Writes what the store does not have yet, in one transaction.
    package func checkpoint() async throws(Problem) {
        let now = clock.now()
        let counts = gatekeeper.takeUnsaved(at: now)
        let notes = authenticator.takeNotes()
        let throttles = throttle.takeUnsaved()
        guard !(counts.users.isEmpty && notes.isEmpty && throttles.isEmpty) else { return }
        do throws(Problem) {
            try await store.write { db throws(Problem) in
                try db.usage.save(counts.counters)
                try db.rateStates.save(counts.rates + throttles)
                for (session, delivery) in notes.deliveries {
                    try db.sessions.markDelivered(
                        session, generation: delivery.generation, at: delivery.at)
                }
                for (session, at) in notes.sessionUses { try db.sessions.touch(session, at: at) }
                for (key, at) in notes.keyUses { try db.apiKeys.recordUse(key, at: at) }
            }
        } catch {
            gatekeeper.putBack(counts, at: now)
            authenticator.putBack(notes)
            throttle.putBack(throttles)
            throw error
        }
        gatekeeper.markSaved(counts)
    }
}
