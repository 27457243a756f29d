import Domain
import Synchronization

/// Which Redis memory counts, and whether customers may be loaded into it.
///
/// An epoch is one life of a server's memory: the server's run id, and a mark that stands in the
/// memory itself. A server that was started again or failed over has another run id, one that was
/// emptied has lost the mark, and what it may still have of before is not believed. A customer is
/// loaded into a new epoch from the store only when every live node has folded all that it counted
/// before: otherwise the store lacks some of it.
final class SharedEpoch: Sendable {
    enum Stage: Sendable {
        /// This node's counts of before are not all in the store yet.
        case begun
        /// They are, and the others were told so.
        case reached
        /// All nodes have said so.
        case open
    }

    private struct State {
        var server: String?
        var name: String?
        var stage = Stage.begun
        var isDoubted = false
    }

    private let state = Mutex(State())

    /// The epoch that this node is in; nil before the first.
    var current: (name: String?, stage: Stage) { state.withLock { ($0.name, $0.stage) } }

    /// Nil when the server is another than that of the epoch.
    func name(on server: String) -> String? {
        state.withLock { $0.server == server ? $0.name : nil }
    }

    func isOpen(_ name: String) -> Bool {
        state.withLock { $0.name == name && $0.stage == .open }
    }

    func enter(_ name: String, on server: String) {
        state.withLock { $0 = State(server: server, name: name) }
    }

    /// Passes over what is of another epoch.
    func advance(_ name: String, to stage: Stage) {
        state.withLock { if $0.name == name { $0.stage = stage } }
    }

    /// The memory was found to be another one.
    func doubt() { state.withLock { $0.isDoubted = true } }

    /// Whether the mark is to be looked at, which then is done.
    func takeDoubt() -> Bool {
        state.withLock { state in
            defer { state.isDoubted = false }
            return state.isDoubted
        }
    }
}
