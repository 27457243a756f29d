import Domain
import Logging
import Store
import Synchronization

/// Customers whose state several nodes share, in Redis. `Gatekeeper` asks here where there is one.
///
/// **What.** A customer's counts, rates, holds, leases and stocks are one value in Redis with a
/// version; `Customer` decides on it, on whichever node is asked. What a customer is entitled to
/// (`Standing`) is not in it: each node has that from the store, and drops it when it has changed.
/// A plain demand is decided by a script in Redis, in one round trip whatever other nodes do, and
/// replayed here on the state that the script found, unless this node was lent units for it
/// (`SharedBlocks`). Everything else is a step that is run on the newest state known here; the
/// result replaces that state, or another node was faster and it is run again, after a few losses
/// in a turn of its own.
///
/// **What is true when.** The store has what is durable; each node's counter file has what that
/// node granted and has not folded; Redis has nothing that cannot be made of those. A count is
/// written to the counter file after the shared state has taken it and before the answer. So
/// whatever dies in between, the shared state shows too much, and never too little: a limit is not
/// passed. What shows too much ends with the epoch.
///
/// **Epochs.** See `SharedEpoch`. A state is believed in the epoch in which it was read, and a
/// count is journalled in the epoch in which it was taken.
///
/// **Rejected.** A protocol with two conformers, this and memory: it would stand between the gate
/// of a single node and its one lock, and the two differ in kind: there a decision is a function,
/// here it is a wait. A lock in Redis for each change: who holds it may die, and it costs two more
/// round trips.
final class SharedCustomers: Sendable {
    struct Record: Sendable {
        let user: UserID
        var standing: Standing?
        /// Not once it may have changed.
        var isStandingKnown = true
        /// The newest state that this node has seen. Its standing is not used.
        var seen: Seen?
        /// What this node goes on from while Redis is away.
        var alone: Customer?
        /// Of quotas; what was told before, the store knows.
        var told = QuotaNotes()
        var pace = BlockPace()

        /// As far as this node knows.
        var customer: Customer? {
            var customer = alone ?? seen?.customer
            customer?.standing = standing
            return customer
        }
    }

    struct Seen: Sendable {
        let epoch: String
        let version: Int64
        let customer: Customer
    }

    let redis: RedisClient
    let memory: CustomerMemory
    let clock: SharedClock
    let stored: StoredCustomers
    let records: LiveCache<UserID, Record>
    let places: SharedPlaces
    let lines = CustomerLines()
    let blocks: SharedBlocks
    /// Whether this node may be lent some.
    let takesBlocks: Bool
    /// One task of this node asks the others for their blocks of a customer.
    let gatherings = Turnstile.Row()
    let epoch = SharedEpoch()
    /// Whether rates alone are decided while Redis is away.
    let decidesRatesAlone: Bool
    let logger: Logger
    struct Recovered: Sendable {
        let deltas: [UsageDelta]
        let epoch: String?
    }

    /// Until the first epoch that this process enters.
    let recovered = Mutex<Recovered?>(nil)
    /// Decisions of the script that the replay did not come to.
    let disagreements = Counter()
    /// Called after a customer's plan has changed by time alone.
    private let didSettle: @Sendable (UserID) -> Void

    init(
        redis: RedisClient, clock: SharedClock, stored: StoredCustomers, journal: Journal,
        customersMax: Int, takesBlocks: Bool, decidesRatesAlone: Bool, logger: Logger,
        didSettle: @escaping @Sendable (UserID) -> Void
    ) {
        self.redis = redis
        memory = CustomerMemory(redis: redis)
        self.clock = clock
        self.stored = stored
        records = LiveCache(capacity: customersMax)
        places = SharedPlaces(journal: journal)
        blocks = SharedBlocks(places: places)
        self.takesBlocks = takesBlocks
        self.decidesRatesAlone = decidesRatesAlone
        self.logger = logger
        self.didSettle = didSettle
    }

    /// How often a decision that meets another node's is begun again. Past it the customer is asked
    /// for faster than one node can follow, and the answer is 503.
    static let triesMax = 40

    /// While another batch has the state for itself: random, so that those who wait do not meet.
    static func untilTurn() async throws(Problem) {
        var random = SystemRandomNumberGenerator()
        do {
            try await Task.sleep(for: .microseconds(random.next(upperBound: 4000) as UInt64))
        } catch {
            throw outrun
        }
    }

    // MARK: Changes

    /// Asks a customer until there is an answer; throws all but a grant.
    func decided(
        _ user: UserID, _ review: inout Review,
        _ ask: @escaping @Sendable (inout Customer, inout Review, Timestamp) -> Decision,
        undo: Correction? = nil
    ) async throws(Problem) -> Acceptance {
        for _ in 0..<Self.triesMax {
            let answer = Latest<(Decision, Review, Timestamp, Bool)>()
            let run: @Sendable (inout Customer, Timestamp) -> Bool = { customer, now in
                var review = Review()
                let decision = ask(&customer, &review, now)
                answer.value = (decision, review, now, !customer.blocks.isEmpty)
                return decision == .granted
            }
            let step = CustomerLines.Step(run: run, undo: undo)
            let acceptance = try await pass(user, step)
            guard let (decision, found, now, isLent) = answer.value else { break }
            review = found
            switch decision {
            case .granted: return acceptance
            case .stale: try await settle(user)
            case .refused(let refusal) where isLent && refusal.reason.isOfUnits:
                guard try await gather(user, isRefused: true) else {
                    throw Gatekeeper.problem(decision, review.states, at: now)
                }
            case .refused, .unsubscribed, .tooManyMetrics, .tooManyLive, .lost:
                throw Gatekeeper.problem(decision, review.states, at: now)
            }
        }
        throw .internal(cause: "a step was not run")
    }

    /// Changes a customer. Nil where `body` found nothing to change.
    func edit<Value: Sendable>(
        _ user: UserID, _ body: @escaping @Sendable (inout Customer, Timestamp) -> Value?
    ) async throws(Problem) -> (Value, Acceptance)? {
        let answer = Latest<Value>()
        let acceptance = try await pass(
            user,
            CustomerLines.Step { customer, now in
                answer.value = body(&customer, now)
                return answer.value != nil
            })
        return answer.value.map { ($0, acceptance) }
    }

    /// Reads a customer as all nodes see them now.
    func look<Value: Sendable>(
        _ user: UserID, _ body: (Customer, Timestamp) -> Value
    ) async throws(Problem) -> Value {
        for _ in 0..<Self.triesMax {
            let epoch = try usableEpoch()
            let record = try await record(of: user)
            if lines.owes(user) { try await touch(user) }
            guard let seen = try await loaded(user, in: epoch, after: record.seen) else {
                try await touch(user)
                continue
            }
            remember(seen, of: user)
            var customer = seen.customer
            customer.standing = record.standing
            return body(customer, clock.now)
        }
        throw Self.outrun
    }

    /// Tells the shared state of what the store has already, at once or when it is back.
    ///
    /// - Parameter acceptance: of the change that this follows from. What takes away is forgotten
    ///   when another epoch has begun since: that one was loaded without it, or shows too much.
    func correct(
        _ user: UserID, _ correction: Correction, after acceptance: Acceptance? = nil
    ) async {
        switch lines.owe(user, correction, in: acceptance?.epoch) {
        case .isOver: return
        case .full:
            logger.error(
                "a shared state misses a change", metadata: ["kind": "\(correction.kind)"])
            return
        case .noted: break
        }
        // Who cannot be told now is told when Redis is back.
        do throws(Problem) { try await touch(user) } catch {}
    }

    /// Brings the state up to date with what is owed to it, and into Redis if it is not there.
    func touch(_ user: UserID) async throws(Problem) {
        _ = try await pass(user, CustomerLines.Step { _, _ in false })
    }

    private func pass(
        _ user: UserID, _ step: CustomerLines.Step
    ) async throws(Problem) -> Acceptance {
        switch await lines.enter(user, step) {
        case .isDone(let outcome): return try outcome.get()
        case .leads:
            let batch = lines.take(user, leading: step)
            var run = BatchRun(user: user, batch: batch, customers: self)
            let outcome: CustomerLines.Outcome
            do throws(Problem) {
                outcome = .success(try await run.toTheEnd())
            } catch {
                outcome = .failure(error)
            }
            lines.leave(user, batch, outcome, left: run.owed)
            return try outcome.get()
        }
    }

    // MARK: This node's memory

    /// What this node knows of a customer, with a standing that has not run out.
    func record(of user: UserID) async throws(Problem) -> Record {
        for _ in 0..<Self.triesMax {
            guard let record = records.with(user, { $0 }) else {
                try await load(user)
                continue
            }
            guard record.isStandingKnown else {
                records.invalidate(user)
                continue
            }
            guard let end = record.standing?.expiresAt, clock.now >= end else { return record }
            try await settle(user)
        }
        throw Self.outrun
    }

    private func load(_ user: UserID) async throws(Problem) {
        let isThere = try await records.load(user) { () throws(Problem) in
            try await self.stored.store.read { db throws(Problem) in
                guard try db.accounts.find(user) != nil else { return nil }
                return Record(user: user, standing: try self.stored.standing(of: user, db))
            }
        }
        if !isThere { throw Authenticator.refused }
    }

    func settle(_ user: UserID) async throws(Problem) {
        _ = try await stored.settle(user, at: clock.now)
        standingChanged(of: user)
        didSettle(user)
    }

    /// Read again rather than set: another node may have changed it since whoever tells us looked.
    func standingChanged(of user: UserID) {
        records.invalidate(user)
        blocks.close(user)
    }

    /// Of those on a plan; of all where there is none named.
    func standingsChanged(on slug: String? = nil) {
        records.updateAll { record in
            if slug == nil || record.standing?.planSlug == slug { record.isStandingKnown = false }
        }
        blocks.closeAll()
    }

    /// The account is gone. A node that only hears of it finds nothing left in Redis.
    func forget(_ user: UserID) async {
        records.invalidate(user)
        blocks.close(user)
        places.forget(user)
        guard let epoch = epoch.current.name else { return }
        do throws(RedisFailure) {
            try await memory.drop(user, in: epoch)
        } catch {
            // Nobody can ask for it any more, and it ends by itself.
            logger.debug(
                "a deleted account's state stays in Redis", metadata: ["cause": "\(error)"])
        }
    }

    func remember(_ seen: Seen, of user: UserID) {
        records.with(user) { record in
            if let known = record.seen, known.epoch == seen.epoch, known.version >= seen.version {
                return
            }
            record.seen = seen
            record.alone = nil
        }
    }

    /// Carries a step's last result from whoever leads to whom it belongs to.
    /// Unchecked, because a leader writes before it answers, and the waiter reads after.
    final class Latest<Value>: @unchecked Sendable {
        var value: Value?
    }
}
