import CLinux
import Domain
import Store
import Synchronization

/// Whether requests should be sent here. The store is asked with a real write, at most once a
/// second however often a probe comes.
final class Readiness: Sendable {
    /// Below this much free disk, a store that grows is about to fail.
    private static let freeBytesMin: Int64 = 64 * 1024 * 1024
    private static let freshness: Duration = .seconds(1)

    private struct State {
        var isDraining = false
        var checkedAt: Timestamp?
        var reasons: [String] = []
    }

    private let store: any Database
    private let directory: String
    private let clock: WallClock
    /// What this node knows of what it shares with others, which costs nothing to ask.
    let sharing: @Sendable () -> [String]
    private let state = Mutex(State())

    init(
        store: any Database, directory: String, clock: WallClock,
        sharing: @escaping @Sendable () -> [String] = { [] }
    ) {
        self.store = store
        self.directory = directory
        self.clock = clock
        self.sharing = sharing
    }

    func beginDraining() { state.withLock { $0.isDraining = true } }

    /// Why not, in words; empty when ready.
    func reasons() async -> [String] {
        if state.withLock(\.isDraining) { return ["draining"] }
        return await own() + sharing()
    }

    private func own() async -> [String] {
        let now = clock.now()
        let known: [String]? = state.withLock { state in
            guard let at = state.checkedAt, now - at < Self.freshness, now >= at else { return nil }
            return state.reasons
        }
        if let known { return known }
        var reasons: [String] = []
        do throws(Problem) {
            try await store.write { db throws(Problem) in
                try db.installation.set("checked_at", now.description)
            }
        } catch {
            reasons.append("the store takes no write: \(error.detail)")
        }
        let free = gatehouse_free_bytes(directory)
        if free >= 0, free < Self.freeBytesMin { reasons.append("the disk is almost full") }
        let found = reasons
        state.withLock { state in
            state.checkedAt = now
            state.reasons = found
        }
        return found
    }
}
