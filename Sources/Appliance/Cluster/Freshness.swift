import Synchronization

/// Until when this node may believe what it has in memory of the store's accounts, sessions, keys
/// and subscriptions.
///
/// Other nodes change them too, and a revocation has to hold on each node within a second. So what
/// is in memory is true as of the moment at which the node last began to ask for changes, and is
/// believed for a second from there. A node that cannot ask, because PostgreSQL is away or only the
/// way to it, believes nothing any more and answers 503.
///
/// **Rejected.** To go on while PostgreSQL is away for everybody, when nothing can be revoked: from
/// here that cannot be told from a cut between this node and the server, while another node may
/// revoke a stolen key and say that it is dead (security K5, X4). To ask the store about each
/// credential instead: it is what cannot be reached.
final class Freshness: Sendable {
    static let span: Duration = .seconds(1)

    private let now: @Sendable () -> ContinuousClock.Instant
    private let zero: ContinuousClock.Instant
    /// Nanoseconds after `zero`.
    private let end = Atomic<Int64>(0)

    /// - Parameter now: a clock that nobody sets, and that goes on while the machine sleeps.
    init(now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }) {
        self.now = now
        zero = now()
    }

    /// On the way of each request: an atomic load and a look at the clock.
    var holds: Bool { nanoseconds(now()) < end.load(ordering: .acquiring) }

    /// All that was committed before this moment has been taken out of memory.
    func renew(asOf moment: ContinuousClock.Instant) {
        end.store(nanoseconds(moment + Self.span), ordering: .releasing)
    }

    private func nanoseconds(_ moment: ContinuousClock.Instant) -> Int64 {
        let (seconds, attoseconds) = (moment - zero).components
        return seconds * 1_000_000_000 + attoseconds / 1_000_000_000
    }
}
