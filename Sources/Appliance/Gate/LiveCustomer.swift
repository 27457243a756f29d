import Domain
import Synchronization

/// A customer in memory, under a lock of their own. The account's snapshot leads here, so that most
/// decisions are made without looking for the customer.
///
/// Invariant: once it has left memory nothing is counted here, however it was found; whoever still
/// holds it looks for the customer again.
final class LiveCustomer: Sendable {
    struct Record: Sendable {
        var customer: Customer
        /// A record with counts that the store does not have is never dropped from memory: loading
        /// it again would bring back counts from before.
        var places = Journal.Places()
        /// Of quotas; what was told before a restart, the store knows.
        var told = QuotaNotes()
    }

    private struct State {
        var record: Record
        var hasLeft = false
        /// By somebody who had not looked for it, since the last turn of those who are looked for.
        var wasUsed = false
    }

    private let state: Mutex<State>

    init(_ customer: Customer) { state = Mutex(State(record: Record(customer: customer))) }

    /// Nil when the customer has left memory.
    func with<Result: Sendable>(_ body: (inout Record) -> Result) -> Result? {
        state.withLock { $0.hasLeft ? nil : body(&$0.record) }
    }

    /// The same, for somebody who has not looked for it.
    func use<Result: Sendable>(_ body: (inout Record) -> Result) -> Result? {
        state.withLock { state in
            guard !state.hasLeft else { return nil }
            state.wasUsed = true
            return body(&state.record)
        }
    }

    /// Leaves memory if nothing would be lost and nobody has used it lately.
    func letGo() -> Bool {
        state.withLock { state in
            state.hasLeft = state.hasLeft || (state.record.places.isEmpty && !state.wasUsed)
            state.wasUsed = false
            return state.hasLeft
        }
    }

    /// Leaves memory for good; nil when it had.
    func leave() -> Record? {
        state.withLock { state in
            guard !state.hasLeft else { return nil }
            state.hasLeft = true
            return state.record
        }
    }
}
