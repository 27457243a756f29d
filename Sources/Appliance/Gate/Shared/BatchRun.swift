import Domain

/// One batch of a customer's line on its way into the shared state.
struct BatchRun {
    let user: UserID
    let batch: CustomerLines.Batch
    let customers: SharedCustomers
    /// What is still owed to the state.
    private(set) var owed: [Correction]
    private var seen: SharedCustomers.Seen?
    /// Nobody can have changed `seen` before this batch began.
    private var isFresh = false
    /// Under which the state is kept from others once this batch has lost to them a few times.
    private var turn: String?

    init(user: UserID, batch: CustomerLines.Batch, customers: SharedCustomers) {
        self.user = user
        self.batch = batch
        self.customers = customers
        owed = batch.owed
    }

    mutating func toTheEnd() async throws(Problem) -> Acceptance {
        for attempt in 0..<SharedCustomers.triesMax {
            if attempt == Self.patience {
                var random = SystemRandomNumberGenerator()
                turn = String(random.next(), radix: 16)
            }
            if let acceptance = try await attempted() { return acceptance }
        }
        throw SharedCustomers.outrun
    }

    /// Nil: once more.
    private mutating func attempted() async throws(Problem) -> Acceptance? {
        let epoch = try customers.usableEpoch()
        // Corrections are of one epoch; those who wait ask again in the next one.
        guard epoch == batch.epoch else { throw SharedCustomers.begins }
        let record = try await recordOrForget()
        if seen == nil, let known = record.seen, known.epoch == epoch { seen = known }
        guard let before = seen else {
            try await fetch(in: epoch, after: nil)
            return nil
        }
        let now = customers.clock.now
        var customer = before.customer
        customer.standing = record.standing
        for correction in owed { correction.apply(to: &customer, at: now) }
        var hasChanged = !owed.isEmpty
        for step in batch.steps where step.run(&customer, now) { hasChanged = true }
        // A turn ends with a change, be it none.
        guard hasChanged || (turn != nil && isFresh) else {
            // What an old state refuses, the newest may grant.
            if isFresh { return Acceptance(epoch: epoch) }
            try await fetch(in: epoch, after: before)
            return nil
        }
        return try await replace(before, with: customer, at: now)
    }

    private mutating func replace(
        _ before: SharedCustomers.Seen, with customer: Customer, at now: Timestamp
    ) async throws(Problem) -> Acceptance? {
        let outcome: CustomerMemory.Replacing
        do throws(RedisFailure) {
            outcome = try await customers.memory.replace(
                user, before.version, with: customer.shared(), at: now, in: before.epoch,
                turn: turn)
        } catch {
            // The state may have been replaced, and its answer lost.
            if case .away = error {
                owed.removeAll { $0.kind == .takesAway }
                owed += batch.steps.compactMap(\.undo)
            }
            throw customers.problem(error)
        }
        switch outcome {
        case .stored(let version):
            owed = []
            customers.remember(
                SharedCustomers.Seen(epoch: before.epoch, version: version, customer: customer),
                of: user)
            return Acceptance(epoch: before.epoch)
        case .changed(let state):
            seen = try customers.seen(state, in: before.epoch, after: nil)
            isFresh = true
        case .held: try await SharedCustomers.untilTurn()
        case .absent: try await fetch(in: before.epoch, after: nil)
        case .late(let server): customers.clock.follow(server, roundTrip: .zero)
        }
        return nil
    }

    private mutating func fetch(
        in epoch: String, after known: SharedCustomers.Seen?
    ) async throws(Problem) {
        let (found, origin) = try await customers.fetch(user, in: epoch, after: known)
        switch origin {
        case .found: break
        // The store was read after it had what is owed.
        case .loadedHere: owed = []
        case .loadedElsewhere: owed.removeAll { $0.kind == .takesAway }
        }
        customers.remember(found, of: user)
        (seen, isFresh) = (found, true)
    }

    private mutating func recordOrForget() async throws(Problem) -> SharedCustomers.Record {
        do throws(Problem) {
            return try await customers.record(of: user)
        } catch {
            // Nothing is owed to an account that is gone.
            if error.code == Authenticator.refused.code { owed = [] }
            throw error
        }
    }

    /// Losing a race now and then costs nothing, and keeps nobody waiting.
    private static let patience = 3
}
