import Domain
import Store

/// Where this node's unfolded counts of each customer are. The shared state knows nothing of them,
/// and a customer who leaves this node's memory has them still.
///
/// A count is written only in the epoch in which the shared state took it, looked at under the lock
/// under which it is written: once `enter` has returned, every count of an epoch before stands in
/// the file and in the list of what is to be folded.
final class SharedPlaces: Sendable {
    private struct State {
        var epoch: String?
        /// Only those who have some.
        var places: [UserID: Journal.Places] = [:]
    }

    private let stripes = Stripes(State())
    private let journal: Journal

    init(journal: Journal) { self.journal = journal }

    func enter(_ epoch: String) {
        stripes.withEach { $0.epoch = epoch }
    }

    /// False, and nothing written, when that epoch is over.
    ///
    /// - Parameter epoch: nil for what no shared state has taken yet.
    func write(_ bookings: [Booking], of user: UserID, in epoch: String?) -> Bool {
        stripes.withLock(user) { state in
            guard epoch == nil || epoch == state.epoch else { return false }
            guard !bookings.isEmpty else { return true }
            journal.write(bookings, of: user, &state.places[user, default: Journal.Places()])
            return true
        }
    }

    func deltas(of user: UserID, batch: UInt64) -> [UsageDelta] {
        stripes.withLock(user) { state in
            state.places[user].map { journal.deltas($0, batch: batch) } ?? []
        }
    }

    func unfolded(_ user: UserID) -> [UnfoldedUse] {
        stripes.withLock(user) { $0.places[user].map { journal.unfolded($0) } ?? [] }
    }

    func didFold(_ user: UserID, batch: UInt64) {
        stripes.withLock(user) { state in
            guard var places = state.places.removeValue(forKey: user) else { return }
            journal.tidy(&places, folded: batch)
            if !places.isEmpty { state.places[user] = places }
        }
    }

    /// Whether the store has all that this node has counted for a customer.
    func isFolded(_ user: UserID) -> Bool {
        stripes.withLock(user) { $0.places[user].map { journal.isFolded($0) } ?? true }
    }

    func forget(_ user: UserID) {
        stripes.withLock(user) { state in
            if let places = state.places.removeValue(forKey: user) { journal.forget(places) }
        }
    }
}
