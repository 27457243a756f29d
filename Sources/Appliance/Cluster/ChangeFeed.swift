import Domain
import Logging
import ServiceLifecycle
import Store
import Synchronization

/// Tells this node's memory what others have changed in the store it shares with them: reads the
/// `changes` that came since, four times a second.
///
/// Invariants: the first reading was before anything was kept in memory; what a change concerns has
/// been forgotten before `Freshness` is renewed as of the moment at which it was asked for; where
/// something may have been missed, after an error too, everything is forgotten. A failover can
/// undo what was committed last, so what was kept from before an error is not believed after it.
final class ChangeFeed: Service {
    /// From one look to the next, counted from where they begin: of the second that `Freshness`
    /// lasts it leaves three quarters for the look itself, on a machine that has no time.
    private static let pause: Duration = .milliseconds(250)
    /// Changes of one look; what is left is read at once.
    private static let changesMax = 1000

    /// What in memory hangs on the store.
    struct Memory: Sendable {
        let forget: @Sendable (Changes.Kind, String) async throws(Problem) -> Void
        let forgetAll: @Sendable () async throws(Problem) -> Void
    }

    private struct State {
        /// The last change that memory knows of. Nil: it must forget everything.
        var last: Int64?
        var hasFailed = false
    }

    private let store: PostgresStore
    private let freshness: Freshness
    private let memory: Memory
    private let logger: Logger
    private let state = Mutex(State())

    init(store: PostgresStore, freshness: Freshness, memory: Memory, logger: Logger) {
        self.store = store
        self.freshness = freshness
        self.memory = memory
        self.logger = logger
    }

    func run() async {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                let began = ContinuousClock.now
                await self.look()
                do {
                    try await Task.sleep(until: began + Self.pause, clock: .continuous)
                } catch { return }
            }
        }
    }

    private func look() async {
        do throws(Problem) {
            try await catchUp()
            let wasAway = state.withLock { state in
                defer { state.hasFailed = false }
                return state.hasFailed
            }
            if wasAway { logger.notice("the store's changes are heard of again") }
        } catch {
            let isFirst = state.withLock { state in
                state.last = nil
                defer { state.hasFailed = true }
                return !state.hasFailed
            }
            if isFirst, !Task.isCancelled {
                logger.error(
                    "the store's changes cannot be read; credentials are not believed meanwhile",
                    metadata: error.metadata)
            }
        }
    }

    /// What one look finds.
    private enum Finding: Sendable {
        case changes([Changes.Entry])
        /// Some may have been missed.
        case gap(last: Int64)
    }

    /// Reads all that came since. Before anything is kept in memory, and again and again.
    func catchUp() async throws(Problem) {
        while true {
            let began = ContinuousClock.now
            let last = state.withLock { $0.last }
            let finding = try await store.watch { db throws(Problem) -> Finding in
                let reach = try db.changes.reach()
                guard let last, reach.pruned <= last, last <= reach.last else {
                    return .gap(last: reach.last)
                }
                guard last < reach.last else { return .changes([]) }
                return .changes(try db.changes.list(after: last, atMost: Self.changesMax))
            }
            let (reached, isAll) = try await follow(finding)
            if let reached { state.withLock { $0.last = reached } }
            guard !isAll else { return freshness.renew(asOf: began) }
        }
    }

    /// - Returns: the last change that memory knows of now, if there was one, and whether it is the
    ///   last there was.
    private func follow(_ finding: Finding) async throws(Problem) -> (Int64?, isAll: Bool) {
        switch finding {
        case .gap(let last):
            try await memory.forgetAll()
            return (last, true)
        case .changes(let changes):
            for change in changes {
                // One of a newer program's may concern anything.
                guard let kind = change.kind else {
                    try await memory.forgetAll()
                    continue
                }
                try await memory.forget(kind, change.subject)
            }
            return (changes.last?.seq, changes.count < Self.changesMax)
        }
    }
}
