import Domain

/// What a shared state is told after the fact: the store or a journal has it already. It waits in
/// its customer's line until the shared memory has taken it, and goes with the epoch, for the next
/// one begins with what the store has.
///
/// Where it cannot be known whether a state has it already (an answer was lost, or another node has
/// just loaded the customer from the store), what adds is done once more, and what takes away is
/// not: a state may show too much until its epoch ends, and never too little.
struct Correction: Sendable {
    enum Kind: Sendable {
        case adds
        case takesAway
        /// Of what has an id: done twice, it is as if done once.
        case byID
    }

    enum Change: Sendable {
        case any(@Sendable (inout Customer, Timestamp) -> Void)
        /// A demand that was granted while the shared memory was away.
        case demand(Demand, Customer.KeyRules?)
    }

    let kind: Kind
    private(set) var change: Change

    init(_ kind: Kind, _ body: @escaping @Sendable (inout Customer, Timestamp) -> Void) {
        self.kind = kind
        change = .any(body)
    }

    init(_ demand: Demand, key: Customer.KeyRules?) {
        kind = .adds
        change = .demand(demand, key)
    }

    func apply(to customer: inout Customer, at now: Timestamp) {
        switch change {
        case .any(let body): body(&customer, now)
        case .demand(let demand, let key): customer.take(demand, key: key, at: now)
        }
    }

    /// Takes another one in, where the two are the same demand twice: a node that is alone for long
    /// owes one number for each metric. False when they are not.
    mutating func merge(_ next: Correction) -> Bool {
        guard case .demand(let mine, let key) = change,
            case .demand(let more, let its) = next.change,
            mine.metric == more.metric, mine.resource == nil, more.resource == nil,
            key?.id == its?.id
        else { return false }
        let cost = min(mine.cost + more.cost, JSON.integerMax)
        change = .demand(Demand(metric: mine.metric, cost: cost), its)
        return true
    }
}
