/// What nodes take ahead. A block is lent out of every limit that its units will meet, the plan's
/// and its key's, and `Meter.lent` says how much of each is out.
///
/// Nothing is granted twice, because lent units count as used for every other decision: in whatever
/// window is current, and in a rate's bucket, where they do not drain. Whenever they are really
/// spent, what is drained of them by then is less. For the same reason a rate is debited when a
/// block is settled, and not as of when it was spent.
extension Customer {
    /// Lends what a node wants, or as much as a part of the room allows. Nil: nothing worth it, and
    /// the state decides each demand by itself. Asked again under one id, it is the same block.
    ///
    /// - Parameters:
    ///   - wanted: units, of `Block.amounts`; with fewer there is no block, and no more are lent.
    ///   - key: when it has limits of its own.
    package mutating func lend(
        _ wanted: Int64, of metric: String, key: KeyRules?, id: BlockID, at now: Timestamp,
        until end: Timestamp
    ) -> Block? {
        guard let standing else { return nil }
        if let expiresAt = standing.expiresAt, now >= expiresAt { return nil }
        endBlocks(at: now)
        if let block = blocks.find(id) { return block }
        let rules = standing.rules.rules(for: metric)
        let isKnown = rules != nil || account.index(of: metric) != nil
        guard isKnown || account.meters.count < Demand.metricsMax,
            blocks.count < Block.perCustomerMax, now >= blocksFrom, now < end
        else { return nil }
        var room = account.room(of: metric, under: rules, at: now)
        if let key {
            let ledger = keys[key.id] ?? Ledger()
            room = min(room, ledger.room(of: metric, under: key.rules.rules(for: metric), at: now))
        }
        let amount = min(wanted, room / Block.roomShare, Block.amounts.upperBound)
        guard amount >= Block.amounts.lowerBound else { return nil }
        let block = Block(
            id: id, keyID: key?.id, metric: metric, amount: amount, createdAt: now, expiresAt: end)
        blocks.insertByEnd(block)
        account.edit(metric, at: now) { $0.lend(amount, rules, at: now) }
        guard let key else { return block }
        edit(key.id) { ledger in
            ledger.edit(metric, at: now) {
                $0.lend(amount, key.rules.rules(for: metric), at: now)
            }
        }
        return block
    }

    /// Takes a block back, and counts what was spent of it. False when it is not there: then it was
    /// settled, or has expired and was counted whole, and nothing happens.
    ///
    /// - Parameters:
    ///   - then: a moment of the hour that it was spent in.
    ///   - key: the block's, when it has limits of its own still.
    @discardableResult
    package mutating func settle(
        _ id: BlockID, spent: Int64, usedAt then: Timestamp, key: KeyRules?, at now: Timestamp
    ) -> Bool {
        advance(to: now)
        guard let block = blocks.remove(id) else { return false }
        // A clock that has stepped back since is no reason to count in an hour before.
        close(block, spent: spent, usedAt: max(then, block.createdAt), key: key, at: now)
        return true
    }

    /// Counts blocks that have expired as spent, whole. False when there are none.
    ///
    /// Not part of `advance`: the script that decides demands knows what is lent, and no blocks.
    @discardableResult
    package mutating func endBlocks(at now: Timestamp) -> Bool {
        advance(to: now)
        guard blocks.hasEnded(at: now) else { return false }
        for block in blocks.removeEnded(at: now) {
            close(block, spent: block.amount, usedAt: block.createdAt, key: nil, at: now)
        }
        return true
    }

    /// Keeps nodes from taking blocks for a while, so that what they settle can be had by all.
    package mutating func recall(at now: Timestamp) {
        advance(to: now)
        blocksFrom = max(blocksFrom, now + .milliseconds(Block.recallPause))
    }

    package func hasBlocks(of metric: String) -> Bool {
        blocks.contains { $0.metric == metric }
    }

    private mutating func close(
        _ block: Block, spent: Int64, usedAt then: Timestamp, key: KeyRules?, at now: Timestamp
    ) {
        endLoan(of: block)
        guard spent > 0 else { return }
        count(spent, block.metric, nil, standing?.rules, usedAt: then, at: now)
        guard let owner = block.keyID else { return }
        let rules = key?.id == owner ? key?.rules : nil
        count(spent, block.metric, owner, rules, usedAt: then, at: now)
    }

    private mutating func count(
        _ spent: Int64, _ metric: String, _ owner: APIKeyID?, _ rules: Ruleset?,
        usedAt then: Timestamp, at now: Timestamp
    ) {
        edit(owner) { ledger in
            ledger.edit(metric, at: now) { meter in
                // A node whose clock is ahead may have begun an hour that is not here yet.
                meter.add(spent, usedAt: then, at: max(now, then))
                guard let rules else { return meter.debitRates(spent, at: now) }
                guard let known = rules.rules(for: metric) else { return }
                meter.debitRates(spent, known, at: now)
            }
        }
    }

    /// A block whose meters are not there leaves one with less than nothing.
    mutating func endLoan(of block: Block) {
        let now = clock
        account.edit(block.metric, at: now) { $0.endLoan(block.amount) }
        guard let key = block.keyID else { return }
        edit(key) { ledger in
            ledger.edit(block.metric, at: now) { $0.endLoan(block.amount) }
        }
    }
}

extension Ledger {
    /// Units that no limit would refuse now.
    fileprivate func room(
        of metric: String, under rules: MetricRules?, at now: Timestamp
    ) -> Int64 {
        let meter = meter(metric) ?? Meter(metric: metric, at: now)
        // After a step back demands are counted in an hour that is still to come. No block can say
        // that it was spent there.
        guard meter.tally.hourIndex <= Window.hour.index(of: now) else { return 0 }
        var room = Int64.max
        for period in Limit.RatePeriod.allCases {
            guard let rule = rules?[period] else { continue }
            room = min(room, meter[period].remaining(under: rule, at: now) - meter.lent)
        }
        for rule in rules?.quotas ?? [] where !rule.allowsOverage {
            let used = meter.tally.counter(rule.window, at: now).used + meter.held + meter.lent
            room = min(room, rule.bound - used)
        }
        return room
    }
}
