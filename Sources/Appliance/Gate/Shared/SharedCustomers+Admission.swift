import Domain
import Logging

/// Plain demands: what the gate asks for.
extension SharedCustomers {
    /// One question to Redis, beside those of other requests for the same customer.
    struct Question {
        let user: UserID
        let demand: Demand
        let key: Customer.KeyRules?

        /// Where a block would be of which it can be granted.
        var place: SharedBlocks.Place {
            SharedBlocks.Place(user: user, metric: demand.metric, key: key)
        }

        /// What exists of a resource is counted in Redis alone.
        var isOfUnits: Bool { demand.resource == nil && demand.cost > 0 }
    }

    /// Without an await, from a block that this node was lent. Nil: it has to be asked for.
    func grant(
        _ user: UserID, _ demand: Demand, key: Customer.KeyRules?, at now: Timestamp,
        _ review: inout Review
    ) -> Acceptance? {
        let place = SharedBlocks.Place(user: user, metric: demand.metric, key: key)
        return blocks.grant(place, demand, at: now, &review)
    }

    /// Takes the demand from every limit that applies, or throws the refusal and takes nothing.
    func admit(
        _ user: UserID, _ demand: Demand, key: Customer.KeyRules?, _ review: inout Review
    ) async throws(Problem) -> Acceptance {
        let question = Question(user: user, demand: demand, key: key)
        for _ in 0..<Self.triesMax {
            if let acceptance = grant(user, demand, key: key, at: clock.now, &review) {
                return acceptance
            }
            guard let standing = try await record(of: user).standing else {
                throw Gatekeeper.problem(.unsubscribed, [], at: clock.now)
            }
            do throws(Problem) {
                if let acceptance = try await asked(question, standing, &review) {
                    return acceptance
                }
            } catch {
                // Not while it is there and is being loaded: that waits until all that was counted
                // is in the store, and who goes on counting would wait for ever.
                guard decidesRatesAlone, error.detail == Self.away.detail,
                    let acceptance = try await alone(question, standing, &review)
                else { throw error }
                return acceptance
            }
        }
        throw Self.outrun
    }

    /// Nil: once more.
    private func asked(
        _ question: Question, _ standing: Standing, _ review: inout Review
    ) async throws(Problem) -> Acceptance? {
        let (user, demand, key) = (question.user, question.demand, question.key)
        let epoch = try usableEpoch()
        guard !lines.owes(user) else {
            try await touch(user)
            return nil
        }
        let now = clock.now
        // It may have run out since it was looked at; then it is looked at again.
        if let end = standing.expiresAt, now >= end { return nil }
        if takesBlocks, question.isOfUnits,
            case .leads(let former) = turn(of: question, standing)
        {
            return try await lent(question, after: former, &review)
        }
        let outcome: CustomerMemory.Admission
        do throws(RedisFailure) {
            outcome = try await memory.admit(
                user, demand, rules: standing.rules, key: key, at: now, in: epoch)
        } catch {
            throw problem(error)
        }
        switch outcome {
        case .held:
            try await Self.untilTurn()
            return nil
        case .absent:
            try await touch(user)
            return nil
        case .late(let server):
            clock.follow(server, roundTrip: .zero)
            return nil
        case .granted(let before):
            let (decision, after) = try replayed(
                question, standing, before, in: epoch, at: now, &review)
            guard case .granted = decision else {
                noteDisagreement("granted", decision)
                throw .internal(cause: "a grant of the script was not one of the replay")
            }
            // Before the answer, and in this epoch or not at all.
            guard places.write(review.bookings, of: user, in: epoch) else { throw Self.begins }
            remember(Seen(epoch: epoch, version: before.version + 1, customer: after), of: user)
            return Acceptance(epoch: epoch)
        case .refused(let before):
            let (decision, customer) = try replayed(
                question, standing, before, in: epoch, at: now, &review)
            guard case .granted = decision else {
                if case .refused(let refusal) = decision, refusal.reason.isOfUnits,
                    !customer.blocks.isEmpty, try await gather(user, isRefused: true)
                {
                    return nil
                }
                throw Gatekeeper.problem(decision, review.states, at: now)
            }
            noteDisagreement("refused", decision)
            return try await stepped(question, &review)
        }
    }

    /// What `Customer` says to the state that the script has decided on.
    private func replayed(
        _ question: Question, _ standing: Standing, _ before: CustomerMemory.State,
        in epoch: String, at now: Timestamp, _ review: inout Review
    ) throws(Problem) -> (Decision, Customer) {
        let known = records.with(question.user) { $0.seen } ?? nil
        var customer = try seen(before, in: epoch, after: known).customer
        customer.standing = standing
        let decision = customer.admit(question.demand, key: question.key, at: now, &review)
        return (decision, customer)
    }

    private func noteDisagreement(_ said: String, _ replayed: Decision) {
        disagreements.next()
        logger.error(
            "the script in Redis decided otherwise than this program",
            metadata: ["script": "\(said)", "replay": "\(replayed)"])
    }

    /// The same demand without the script.
    private func stepped(
        _ question: Question, _ review: inout Review
    ) async throws(Problem) -> Acceptance {
        let (demand, key) = (question.demand, question.key)
        let acceptance = try await decided(question.user, &review) { customer, review, now in
            customer.admit(demand, key: key, at: now, &review)
        }
        guard places.write(review.bookings, of: question.user, in: acceptance.epoch) else {
            throw Self.begins
        }
        return acceptance
    }

    // MARK: Without Redis

    /// A demand that meets rates alone, decided on what this node knows while Redis is away
    /// (`limits.rates_without_redis: open`): each node then lets pass what one may. It is counted
    /// as ever, and taken from the shared state when that is back. Nil where it may not be.
    private func alone(
        _ question: Question, _ standing: Standing, _ review: inout Review
    ) async throws(Problem) -> Acceptance? {
        let (user, demand, key) = (question.user, question.demand, question.key)
        guard lines.hasRoom, standing.rules.hasOnlyRates(for: demand),
            key?.rules.hasOnlyRates(for: demand) ?? true
        else { return nil }
        // Redis was waited for: what was known of the customer may be gone from memory by now.
        var base = try await record(of: user).customer
        if base == nil { base = try await stored.find(user, at: clock.now) }
        let now = clock.now
        let found: Decision?? = records.with(user) { record -> Decision? in
            guard var customer = record.customer ?? base else { return nil }
            customer.standing = standing
            let decision = customer.admit(demand, key: key, at: now, &review)
            record.alone = customer
            return decision
        }
        guard let decision = found ?? nil else { return nil }
        guard case .granted = decision else {
            throw Gatekeeper.problem(decision, review.states, at: now)
        }
        // Counted first: an epoch that begins in between has it from the store.
        let current = epoch.current.name
        _ = places.write(review.bookings, of: user, in: nil)
        _ = lines.owe(user, Correction(demand, key: key))
        return Acceptance(epoch: current)
    }

    /// Undoes a grant whose work then failed. In the journal first: who dies in between has taken
    /// too much in the shared state, and not too little.
    func giveBack(
        _ user: UserID, _ demand: Demand, key: Customer.KeyRules?, _ bookings: [Booking],
        after acceptance: Acceptance
    ) async {
        _ = places.write(bookings.map(\.undone), of: user, in: nil)
        let correction = Correction(.takesAway) { customer, _ in
            var review = Review()
            customer.giveBack(demand, key: key, bookings, &review)
        }
        await correct(user, correction, after: acceptance)
    }
}
