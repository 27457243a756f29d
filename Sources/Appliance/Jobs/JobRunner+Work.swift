import Domain
import Logging
import Store
import Tracing

/// One claim: the work, its time limit, and the renewal of its lease, side by side.
extension JobRunner {
    /// Why a try came to its end.
    private enum Ending: Sendable {
        case worked(JobOutcome)
        case failed(Problem)
        case timedOut
        case leaseLost
        /// The waiting was over, because something else came to its end.
        case cancelled
    }

    /// Returns when the work has ended and the store knows how, so that there is never a second
    /// run beside this one.
    ///
    /// - Parameter began: when it was claimed: its lease and its time limit count from there.
    func work(on claim: Jobs.Claim, by handler: JobHandler, since began: Timestamp) async {
        let endings = await withTaskGroup(of: Ending.self) { group in
            group.addTask {
                do throws(Problem) {
                    return .worked(try await self.traced(claim, handler, began))
                } catch {
                    return .failed(error)
                }
            }
            group.addTask {
                do { try await self.clock.sleep(began + handler.terms.timeout) } catch {
                    return .cancelled
                }
                return .timedOut
            }
            group.addTask { await self.keepLease(of: claim, from: began) }
            // Whichever ends first ends the others; the work may need a moment to notice.
            var endings: [Ending] = []
            for await ending in group {
                endings.append(ending)
                group.cancelAll()
            }
            return endings
        }
        await settle(claim, handler, endings)
    }

    /// A trace begins with each try: who enqueued it has long been answered.
    private func traced(
        _ claim: Jobs.Claim, _ handler: JobHandler, _ began: Timestamp
    ) async throws(Problem) -> JobOutcome {
        var context = InstrumentationContext.topLevel
        let span = tracer?.root("job \(handler.name)", .consumer, from: nil, in: &context)
        guard let span else { return try await handler.run(claim, began) }
        span.attributes = [
            "messaging.system": "gatehouse", "messaging.operation.type": "process",
            "messaging.operation.name": "run", "messaging.destination.name": "\(handler.name)",
            "messaging.message.id": "\(claim.job.id)",
        ]
        return try await span.run { () throws(Problem) in try await handler.run(claim, began) }
    }

    /// Renews until it is cancelled or the lease is lost.
    private func keepLease(of claim: Jobs.Claim, from began: Timestamp) async -> Ending {
        var end = began + bounds.lease
        var next = began + bounds.lease / 3
        while true {
            do { try await clock.sleep(next) } catch { return .cancelled }
            let now = clock.now()
            let until = now + bounds.lease
            next = now + bounds.lease / 3
            do throws(Problem) {
                let isHeld = try await store.write { db throws(Problem) in
                    try db.jobs.renew(claim, until: until)
                }
                guard isHeld else { return .leaseLost }
                end = until
            } catch {
                logger.warning("a job's lease could not be renewed", metadata: error.metadata)
                // From here on somebody else may run it.
                if now >= end { return .leaseLost }
            }
        }
    }

    // MARK: What becomes of it

    private func settle(_ claim: Jobs.Claim, _ handler: JobHandler, _ endings: [Ending]) async {
        var failure: Problem?
        var interruption: String?
        for ending in endings {
            switch ending {
            case .worked(.done):
                return await record { now, db throws(Problem) in
                    try db.jobs.complete(claim, at: now)
                }
            case .worked(.refused(let reason)):
                return await fail(claim, reason, next: nil, cause: reason)
            case .failed(let problem): failure = problem
            case .timedOut:
                interruption = "It took longer than \(handler.terms.timeout.secondsUp) s."
            // Where somebody else has it by now, what is written below changes nothing.
            case .leaseLost: interruption = "Its lease ran out."
            case .cancelled: continue
            }
        }
        if let interruption {
            await retry(claim, handler, interruption, after: nil, cause: interruption)
        } else if Task.isCancelled {
            logger.notice("job given back", metadata: Self.metadata(claim))
            await record { now, db throws(Problem) in try db.jobs.release(claim, at: now) }
        } else if let failure {
            await retry(
                claim, handler, "\(failure.code.rawValue): \(failure.detail)",
                after: failure.retryAfter, cause: failure.cause ?? failure.detail)
        }
    }

    /// Lets the job wait for its next try, if it has one left.
    private func retry(
        _ claim: Jobs.Claim, _ handler: JobHandler, _ reason: String, after least: Duration?,
        cause: String
    ) async {
        var next: Timestamp?
        if claim.job.attempts < claim.job.attemptsMax {
            var random = SystemRandomNumberGenerator()
            let wait = handler.terms.backoff.wait(after: claim.job.attempts, using: &random)
            next = clock.now() + max(wait, least ?? .zero)
        }
        await fail(claim, reason, next: next, cause: cause)
    }

    /// - Parameters:
    ///   - reason: for administrators.
    ///   - cause: for the log.
    private func fail(
        _ claim: Jobs.Claim, _ reason: String, next: Timestamp?, cause: String
    ) async {
        var metadata = Self.metadata(claim)
        metadata["cause"] = "\(cause)"
        if let next {
            metadata["next"] = "\(next)"
            logger.warning("job failed", metadata: metadata)
        } else {
            logger.error("job is dead", metadata: metadata)
        }
        let shown = String(reason.unicodeScalars.prefix(Job.errorMax))
        await record { now, db throws(Problem) in
            try db.jobs.fail(claim, error: shown, next: next, at: now)
        }
    }

    private static func metadata(_ claim: Jobs.Claim) -> Logger.Metadata {
        [
            "job": "\(claim.job.id)", "kind": "\(claim.job.kind)",
            "attempt": "\(claim.job.attempts)",
        ]
    }

    /// Tells the store how it ended, until it knows: before that the job is nobody else's. When the
    /// process must end it is left to the next start, which runs the job again.
    private func record(
        _ body: @escaping @Sendable (Timestamp, any Connection) throws(Problem) -> Bool
    ) async {
        while true {
            let now = clock.now()
            do throws(Problem) {
                _ = try await store.write { db throws(Problem) in try body(now, db) }
                return
            } catch {
                logger.error("the end of a job could not be recorded", metadata: error.metadata)
            }
            if isStopping { return }
            do { try await clock.sleep(now + Self.troubleRest) } catch { return }
        }
    }
}
