import Domain
import Logging
import ServiceLifecycle

/// How this node is lent blocks (`SharedBlocks`), tells of them, and asks the others for theirs.
extension SharedCustomers {
    // MARK: Taking

    /// Decides a demand in a step that also lends units for those that follow. Nil: once more.
    func lent(
        _ question: Question, after former: SharedBlocks.Settlement?, _ review: inout Review
    ) async throws(Problem) -> Acceptance? {
        let (place, generation) = (question.place, blocks.generation)
        var loan: SharedBlocks.Loan?
        defer { blocks.install(loan, at: place, since: generation) }
        if let former { tell(former) }
        do throws(Problem) {
            let taken = Latest<(Block, Customer, ContinuousClock.Instant)>()
            let acceptance = try await granted(
                question, lending: former?.nextAmount ?? BlockPace.firstAmount, taken, &review)
            if let (block, customer, takenAt) = taken.value, let epoch = acceptance.epoch {
                loan = SharedBlocks.Loan(
                    block: block, epoch: epoch, takenAt: takenAt, customer: customer)
            } else {
                rest(question.user)
            }
            return acceptance
        } catch {
            // The script is not outrun by others.
            guard error.detail == Self.outrun.detail else { throw error }
            rest(question.user)
            return nil
        }
    }

    private func granted(
        _ question: Question, lending wanted: Int64,
        _ taken: Latest<(Block, Customer, ContinuousClock.Instant)>, _ review: inout Review
    ) async throws(Problem) -> Acceptance {
        var random = SystemRandomNumberGenerator()
        let id: BlockID = ID(at: clock.now, using: &random)
        let (demand, key) = (question.demand, question.key)
        let undo = Correction(.byID) { customer, now in
            customer.settle(id, spent: 0, usedAt: now, key: key, at: now)
        }
        let ask: @Sendable (inout Customer, inout Review, Timestamp) -> Decision = {
            customer, review, now in
            taken.value = nil
            let decision = customer.admit(demand, key: key, at: now, &review)
            guard case .granted = decision,
                let block = customer.lend(
                    wanted, of: demand.metric, key: key, id: id, at: now,
                    until: now + SharedBlocks.patience)
            else { return decision }
            var without = customer
            without.settle(id, spent: 0, usedAt: now, key: key, at: now)
            taken.value = (block, without, .now)
            return decision
        }
        let acceptance = try await decided(question.user, &review, ask, undo: undo)
        guard places.write(review.bookings, of: question.user, in: acceptance.epoch) else {
            throw Self.begins
        }
        return acceptance
    }

    /// Whose turn it is to be lent a block of which this demand could be granted. Nil: nobody's.
    func turn(of question: Question, _ standing: Standing) -> SharedBlocks.Turn? {
        if let turn = blocks.turn(question.place) { return turn }
        return wantsBlock(question, standing) ? blocks.begin(question.place) : nil
    }

    /// Whether a customer asks for so much, and has so much left as far as is known, that a block
    /// pays.
    private func wantsBlock(_ question: Question, _ standing: Standing) -> Bool {
        let now = clock.now
        var random = SystemRandomNumberGenerator()
        let id: BlockID = ID(at: now, using: &random)
        return records.with(question.user) { record in
            guard record.pace.isBusy(at: now), var customer = record.customer else { return false }
            customer.standing = standing
            let block = customer.lend(
                BlockPace.firstAmount, of: question.demand.metric, key: question.key, id: id,
                at: now, until: now + SharedBlocks.patience)
            if block == nil { record.pace.rest(at: now) }
            return block != nil
        } ?? false
    }

    private func rest(_ user: UserID) {
        let now = clock.now
        records.with(user) { $0.pace.rest(at: now) }
    }

    // MARK: Giving back

    private func tell(_ settlement: SharedBlocks.Settlement) {
        let debt = lines.owe(
            settlement.place.user, settlement.correction, in: settlement.epoch)
        if case .full = debt {
            logger.error(
                "units that a node was lent and did not use are lost",
                metadata: ["units": "\(settlement.block.amount - settlement.spent)"])
        }
    }

    /// Tells the shared state of what this node was lent of a customer; it has it when this
    /// returns, or is owed it.
    func giveBack(_ user: UserID) async {
        let settlements = blocks.takeAll(of: user)
        guard !settlements.isEmpty else { return }
        for settlement in settlements { tell(settlement) }
        do throws(Problem) { try await touch(user) } catch {}
    }

    /// Notes what is to be told of blocks that have ended.
    func noteEndedBlocks() {
        for settlement in blocks.takeEnded(at: .now) { tell(settlement) }
    }

    // MARK: Gathering

    /// Asks every node for what it was lent of a customer. False when one has not told in time.
    ///
    /// - Parameter isRefused: somebody would be, so that nothing is lent for a while; the node that
    ///   does not tell is waited for until its block counts as used.
    func gather(_ user: UserID, isRefused: Bool) async throws(Problem) -> Bool {
        try await gatherings[user].pass { () throws(Problem) in
            await giveBack(user)
            let missing = try await othersBlocks(of: user, isRefused: isRefused)
            guard !missing.isEmpty else { return true }
            do throws(RedisFailure) {
                try await redis.publish(BlockRecalls.channel, Array("\(user)".utf8))
            } catch {
                throw problem(error)
            }
            return try await told(missing, of: user, isRefused: isRefused)
        }
    }

    private func othersBlocks(
        of user: UserID, isRefused: Bool
    ) async throws(Problem) -> Set<BlockID> {
        guard isRefused else {
            let seen = try await loaded(user, in: usableEpoch(), after: nil)
            return Set(seen?.customer.blocks.map(\.id) ?? [])
        }
        let answer = try await edit(user) { customer, now in
            customer.recall(at: now)
            customer.endBlocks(at: now)
            return Set(customer.blocks.map(\.id))
        }
        return answer?.0 ?? []
    }

    private func told(
        _ missing: Set<BlockID>, of user: UserID, isRefused: Bool
    ) async throws(Problem) -> Bool {
        // A node that lives tells when its block ends, heard of this or not; for one that does not,
        // clocks may be a second apart.
        let patience = isRefused ? SharedBlocks.patience + .seconds(2) : SharedBlocks.life * 3 / 2
        let end = ContinuousClock.now + patience
        var pause = Duration.milliseconds(1)
        while ContinuousClock.now < end {
            do { try await Task.sleep(for: pause) } catch { return false }
            pause = min(pause * 2, .milliseconds(50))
            guard let customer = try await loaded(user, in: usableEpoch(), after: nil)?.customer
            else { return true }
            let left = customer.blocks.filter { missing.contains($0.id) }
            guard let first = left.first else { return true }
            guard clock.now >= first.expiresAt else { continue }
            _ = try await edit(user) { $0.endBlocks(at: $1) }
        }
        return false
    }
}

extension Refusal.Reason {
    /// What nodes are lent.
    var isOfUnits: Bool { self == .rate || self == .quota }
}

/// Hears of customers of whom another node would have to refuse something. A message that is lost
/// costs that node a wait until the block has ended by itself.
struct BlockRecalls: Service {
    static let channel = "gatehouse:recalls"

    let customers: SharedCustomers

    func run() async throws {
        await cancelWhenGracefulShutdown {
            for await message in customers.redis.messages(of: Self.channel) {
                guard let user = UserID(String(decoding: message, as: UTF8.self)) else { continue }
                await customers.giveBack(user)
            }
        }
    }
}
