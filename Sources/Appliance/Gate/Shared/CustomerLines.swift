import Domain
import Synchronization

/// Who waits on this node to change which customer. One batch of a customer is under way at a time,
/// led by the first who came; what comes meanwhile goes together with the next one. So however many
/// wait, a node has one round trip in flight for a customer, and nodes that race for one state lose
/// to each other once a batch and not once a request.
///
/// Nothing runs in the background: whoever leads is one of those who wait, and hands over.
final class CustomerLines: Sendable {
    /// One change of a customer. It is run again when another node was faster, so it changes
    /// nothing but the customer, and its result counts when it was run for the last time.
    struct Step: Sendable {
        /// False when there was nothing to change.
        let run: @Sendable (inout Customer, Timestamp) -> Bool
        /// For when it cannot be known whether the change was made.
        var undo: Correction?
    }

    typealias Outcome = Result<Acceptance, Problem>

    enum Turn: Sendable {
        case leads
        case isDone(Outcome)
    }

    struct Batch: Sendable {
        /// Of which epoch the corrections are.
        let epoch: String?
        let owed: [Correction]
        let steps: [Step]
        fileprivate let waiters: [CheckedContinuation<Turn, Never>]
    }

    private struct Waiter {
        let step: Step
        let continuation: CheckedContinuation<Turn, Never>
    }

    private struct State {
        var epoch: String?
        /// There while somebody leads.
        var lines: [UserID: [Waiter]] = [:]
        var owed: [UserID: [Correction]] = [:]
        var owedCount = 0
    }

    /// Of one customer. Each is a request in flight, so this bounds the time that the last one
    /// waits more than memory.
    private static let waitersMax = 512
    /// Corrections of a node. Nearly all are of requests that were in flight when Redis went.
    private static let owedMax = 10_000

    private let state = Mutex(State())
    private let owing = Atomic(0)

    /// Returns when it is this step's turn to lead, or when it was done.
    func enter(_ user: UserID, _ step: Step) async -> Turn {
        await withCheckedContinuation { continuation in
            let turn: Turn? = state.withLock { state in
                guard let waiting = state.lines[user]?.count else {
                    state.lines[user] = []
                    return .leads
                }
                guard waiting < Self.waitersMax else {
                    return .isDone(
                        .failure(.overloaded("This customer's state", retryAfter: .seconds(1))))
                }
                state.lines[user]?.append(Waiter(step: step, continuation: continuation))
                return nil
            }
            if let turn { continuation.resume(returning: turn) }
        }
    }

    /// For who leads: the step and all that waits behind it, and what is owed before them.
    func take(_ user: UserID, leading step: Step) -> Batch {
        state.withLock { state in
            let waiters = state.lines[user] ?? []
            state.lines[user] = []
            let owed = state.owed[user] ?? []
            // The customer is owed something until `leave` says otherwise.
            if !owed.isEmpty { state.owed[user] = [] }
            return Batch(
                epoch: state.epoch, owed: owed, steps: [step] + waiters.map(\.step),
                waiters: waiters.map(\.continuation))
        }
    }

    /// Answers those of the batch, and lets the next one lead.
    ///
    /// - Parameter left: what is owed still; it comes before all that was noted since.
    func leave(_ user: UserID, _ batch: Batch, _ outcome: Outcome, left: [Correction]) {
        let next: CheckedContinuation<Turn, Never>? = state.withLock { state in
            if batch.owed.count + left.count > 0, state.epoch == batch.epoch {
                let owed = left + (state.owed[user] ?? [])
                state.owed[user] = owed.isEmpty ? nil : owed
                note(state.owedCount - batch.owed.count + left.count, &state)
            }
            guard let next = state.lines[user]?.first else {
                state.lines[user] = nil
                return nil
            }
            state.lines[user]?.removeFirst()
            return next.continuation
        }
        for waiter in batch.waiters { waiter.resume(returning: .isDone(outcome)) }
        next?.resume(returning: .leads)
    }

    // MARK: Corrections

    /// Whoever is owed something is forgotten with the epoch.
    func enter(_ epoch: String) {
        state.withLock { state in
            state.epoch = epoch
            state.owed = [:]
            note(0, &state)
        }
    }

    enum Debt { case noted, isOver, full }

    /// - Parameter epoch: the one it is of; nil for whichever is current. `isOver` for another one.
    func owe(_ user: UserID, _ correction: Correction, in epoch: String? = nil) -> Debt {
        state.withLock { state in
            guard let current = state.epoch, epoch == nil || epoch == current else {
                return .isOver
            }
            if let last = state.owed[user]?.indices.last,
                state.owed[user]?[last].merge(correction) == true
            {
                return .noted
            }
            guard state.owedCount < Self.owedMax else { return .full }
            state.owed[user, default: []].append(correction)
            note(state.owedCount + 1, &state)
            return .noted
        }
    }

    /// Asked for each decision: no lock where nobody is owed anything.
    func owes(_ user: UserID) -> Bool {
        owing.load(ordering: .relaxed) > 0 && state.withLock { $0.owed[user] != nil }
    }

    var isOwing: Bool { owing.load(ordering: .relaxed) > 0 }

    var hasRoom: Bool { owing.load(ordering: .relaxed) < Self.owedMax }

    /// Some of those who are owed something.
    func owed(atMost most: Int) -> [UserID] {
        guard owing.load(ordering: .relaxed) > 0 else { return [] }
        return state.withLock { Array($0.owed.keys.prefix(most)) }
    }

    private func note(_ count: Int, _ state: inout State) {
        state.owedCount = count
        owing.store(count, ordering: .relaxed)
    }
}
