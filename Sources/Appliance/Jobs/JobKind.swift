import Domain
import Store

/// What a job is given, as the store keeps it.
package protocol JobPayload: Sendable {
    /// Nil when it is none that this program has written.
    init?(json: JSON)
    var json: JSON { get }
}

/// For a job whose kind says everything.
package struct NoPayload: JobPayload {
    package init() {}
    package init?(json: JSON) { self.init() }
    package var json: JSON { .object([]) }
}

/// One kind of job: its name, what it is given, and how it is tried. `Appliance.jobHandlers` says
/// what it does.
package struct JobKind<Payload: JobPayload>: Sendable {
    /// In the store, the API and the metrics. A released name stays, since jobs may wait under it.
    package let name: String
    package let terms: JobTerms

    package init(_ name: String, _ terms: JobTerms) {
        self.name = name
        self.terms = terms
    }
}

/// How a job is tried.
package struct JobTerms: Sendable {
    /// After so many tries that failed it is dead.
    package var attemptsMax: Int64 = 10
    package var backoff = Backoff(base: .seconds(10), cap: .seconds(3600))
    /// A try that takes longer is cancelled and has failed.
    package var timeout: Duration = .seconds(600)
    /// How many run side by side in one process: a backlog of one kind leaves workers to others.
    package var atOnce = 1

    package init() {}

    /// What comes again by itself: tried each ten minutes at the latest, and dead after two or
    /// three hours, when the next one takes its place.
    package static let scheduled: JobTerms = {
        var terms = JobTerms()
        terms.attemptsMax = 25
        terms.backoff = Backoff(base: .seconds(10), cap: .seconds(600))
        return terms
    }()
}

/// How a try has ended that threw nothing. What it throws may pass, and it is tried again.
package enum JobOutcome: Equatable, Sendable {
    case done
    /// No other try can succeed, so there is none. The reason is shown to administrators.
    case refused(String)
}

/// One try of a job, as its work sees it.
package struct JobRun<Payload: JobPayload>: Sendable {
    package let id: JobID
    package let payload: Payload
    package let createdAt: Timestamp
    /// From 1.
    package let attempt: Int64
    /// When this try began.
    package let now: Timestamp
}

/// A kind and its work, for the one list of them. The work must bear being repeated: a process can
/// die after it and before the store knows. It must end soon once its task is cancelled.
package struct JobHandler: Sendable {
    package let name: String
    package let terms: JobTerms
    let run: @Sendable (Jobs.Claim, Timestamp) async throws(Problem) -> JobOutcome

    package init<Payload>(
        _ kind: JobKind<Payload>,
        _ work: @escaping @Sendable (JobRun<Payload>) async throws(Problem) -> JobOutcome
    ) {
        name = kind.name
        terms = kind.terms
        run = { claim, now throws(Problem) in
            guard let payload = Payload(json: claim.payload) else {
                return .refused("The payload is not one of this kind.")
            }
            return try await work(
                JobRun(
                    id: claim.job.id, payload: payload, createdAt: claim.job.createdAt,
                    attempt: claim.job.attempts, now: now))
        }
    }
}

extension Jobs {
    /// Enqueues in the caller's transaction; once that commits, the runner is woken.
    ///
    /// - Parameters:
    ///   - uniqueKey: while a job with this key waits or runs, there is no second one.
    ///   - runAt: nil: at once.
    /// - Returns: nil when there is one with that key.
    @discardableResult
    package func enqueue<Payload>(
        _ kind: JobKind<Payload>, _ payload: Payload, uniqueKey: String? = nil,
        runAt: Timestamp? = nil, at now: Timestamp
    ) throws(Problem) -> JobID? {
        try enqueue(
            kind.name, payload: payload.json, attemptsMax: kind.terms.attemptsMax,
            uniqueKey: uniqueKey, runAt: runAt, at: now)
    }
}
