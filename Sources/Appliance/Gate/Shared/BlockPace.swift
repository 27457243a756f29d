import Domain

/// When a customer asks for so much that a block pays, which costs two trips to Redis: one to take
/// it and one to tell of it. For blocks, which then follow their use, see `Settlement.nextAmount`.
struct BlockPace: Sendable {
    /// Fewer decisions than this in `span` go to Redis one by one.
    private static let busy = 8
    private static let span: Duration = .seconds(1)
    /// Of the first block.
    static let firstAmount: Int64 = 16
    static let amountMax: Int64 = 1 << 16

    private var since = Timestamp.epoch
    private var asked = 0
    private var restsUntil = Timestamp.epoch

    /// One more decision; whether they are many.
    mutating func isBusy(at now: Timestamp) -> Bool {
        if now >= since + Self.span || now < since { (since, asked) = (now, 0) }
        asked += 1
        return asked > Self.busy && now >= restsUntil
    }

    /// Nothing could be lent: it is not asked for again at once.
    mutating func rest(at now: Timestamp) { restsUntil = now + Self.span }

    /// What the block after one is to last for about `span`, from what was spent of the one before;
    /// up to eight times that, so that a burst takes no hold of what others may need.
    static func amount(afterSpending spent: Int64, in age: Duration) -> Int64 {
        let shortest: Duration = span / 8
        let times = age <= shortest ? 8 : max(1, span / age)
        return min(Int64(Double(spent) * times), amountMax)
    }
}
