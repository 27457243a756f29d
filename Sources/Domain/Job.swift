package typealias JobID = ID<Job>

/// One piece of work that outlives the request that asked for it and the process that begins it.
/// It runs at least once: a process that dies in the midst of it leaves it to be run again.
package struct Job: Equatable, Sendable {
    package enum State: String, CaseIterable, Sendable {
        /// Waits for `runAt`: for its first try, or for the next one after one that failed.
        case queued
        case running
        case done
        /// Nothing tries it again but an administrator.
        case dead
    }

    package let id: JobID
    /// Such as `clean_up`: what to do.
    package let kind: String
    package let state: State
    package let runAt: Timestamp
    /// Tries that were begun.
    package let attempts: Int64
    package let attemptsMax: Int64
    /// Why the last try that failed did; safe to show, at most `errorMax` characters.
    package let lastError: String?
    package let createdAt: Timestamp
    /// When it was done or died.
    package let finishedAt: Timestamp?

    package init(
        id: JobID, kind: String, state: State, runAt: Timestamp, attempts: Int64,
        attemptsMax: Int64, lastError: String?, createdAt: Timestamp, finishedAt: Timestamp?
    ) {
        self.id = id
        self.kind = kind
        self.state = state
        self.runAt = runAt
        self.attempts = attempts
        self.attemptsMax = attemptsMax
        self.lastError = lastError
        self.createdAt = createdAt
        self.finishedAt = finishedAt
    }

    /// Characters that are kept of an error: a sentence or two, not a page.
    package static let errorMax = 300
}
