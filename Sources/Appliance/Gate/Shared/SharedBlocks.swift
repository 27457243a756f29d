import Domain
import Synchronization

/// Units of rates and quotas that this node was lent, and grants by itself.
///
/// Redis counts the units of a block as taken from the moment it is lent, so nothing granted here
/// passes a limit, whatever other nodes do. A demand is decided on a copy of the customer, and
/// written to the counter file before its answer, as any other.
///
/// A block ends after a second, with its hour, its epoch or the customer's standing, or when a node
/// asks for it that would have to refuse somebody. Then Redis is told how much of it was used, and
/// has the rest back. A block of which it is never told, since the node was killed, counts as used.
final class SharedBlocks: Sendable {
    /// How long a node grants of a block, by its own clock: as late does Redis hear of it.
    static let life: Duration = .seconds(1)
    /// A block of which Redis has not heard by then, by its clock, is of a node that is gone.
    static let patience: Duration = .seconds(3)
    /// Blocks of a node. Past it, more customers are decided on in Redis.
    private static let countMax = 4096

    /// Whose units: of one metric of one customer, and of one key where that has its own limits.
    struct Place: Sendable {
        let user: UserID
        let metric: String
        let key: Customer.KeyRules?

        fileprivate func isSame(as other: Place) -> Bool {
            key?.id == other.key?.id && metric == other.metric
        }
    }

    struct Loan: Sendable {
        let block: Block
        let epoch: String
        let takenAt: ContinuousClock.Instant
        /// As the shared state was without this block, and what was granted of it since.
        var customer: Customer
    }

    /// How much of a block was used. Known by its id, so it may be told twice.
    struct Settlement: Sendable {
        let place: Place
        let block: Block
        let epoch: String
        let spent: Int64
        /// How long it lasted.
        let age: Duration

        /// Of the block that follows.
        var nextAmount: Int64 { BlockPace.amount(afterSpending: spent, in: age) }

        var correction: Correction {
            Correction(.byID) { [self] customer, now in
                customer.settle(
                    block.id, spent: spent, usedAt: block.createdAt, key: place.key, at: now)
            }
        }
    }

    /// What a node may do that has nothing left to grant of.
    enum Turn: Sendable {
        /// Ask to be lent the next block, and tell of the one before.
        case leads(after: Settlement?)
        /// Somebody asks already, or this node has as many blocks as it may.
        case follows
    }

    private struct Entry {
        let place: Place
        /// Nil while it is asked for.
        var loan: Loan?
        var spent: Int64 = 0
        var isClosed = false

        func settlement(at now: ContinuousClock.Instant) -> Settlement? {
            loan.map {
                Settlement(
                    place: place, block: $0.block, epoch: $0.epoch, spent: spent,
                    age: now - $0.takenAt)
            }
        }
    }

    private let stripes = Stripes<[UserID: [Entry]]>([:])
    private let places: SharedPlaces
    private let count = Atomic(0)
    /// Goes up whenever something has changed that a block may have been lent on.
    private let changes = Atomic<UInt64>(0)
    /// Demands that were granted here.
    let grants = Counter()

    init(places: SharedPlaces) { self.places = places }

    /// Blocks that are lent or asked for.
    var current: Int { count.load(ordering: .relaxed) }

    /// What `install` is told of the time before it was asked for.
    var generation: UInt64 { changes.load(ordering: .acquiring) }

    // MARK: Grants

    /// Nil when this node cannot say by itself.
    func grant(
        _ place: Place, _ demand: Demand, at now: Timestamp, _ review: inout Review
    ) -> Acceptance? {
        guard count.load(ordering: .relaxed) > 0, demand.resource == nil else { return nil }
        return stripes.withLock(place.user) { entries in
            guard let user = entries.index(forKey: place.user),
                let at = entries.values[user].firstIndex(where: { $0.place.isSame(as: place) })
            else { return nil }
            return grant(of: &entries.values[user][at], demand, place.key, at: now, &review)
        }
    }

    private func grant(
        of entry: inout Entry, _ demand: Demand, _ key: Customer.KeyRules?, at now: Timestamp,
        _ review: inout Review
    ) -> Acceptance? {
        guard !entry.isClosed, let block = entry.loan?.block, let epoch = entry.loan?.epoch,
            let takenAt = entry.loan?.takenAt, demand.cost <= block.amount - entry.spent,
            Window.hour.index(of: now) == Window.hour.index(of: block.createdAt),
            ContinuousClock.now - takenAt < Self.life,
            // What the key may has been looked up for this request, and may be less by now.
            case .granted = entry.loan?.customer.admit(demand, key: key, at: now, &review)
        else { return nil }
        // Before the answer, and in this epoch or not at all.
        guard places.write(review.bookings, of: entry.place.user, in: epoch) else {
            entry.isClosed = true
            return nil
        }
        entry.spent += demand.cost
        grants.next()
        return Acceptance(epoch: epoch)
    }

    // MARK: Loans

    /// For who found nothing to grant of. Nil where there was no block.
    func turn(_ place: Place) -> Turn? {
        guard count.load(ordering: .relaxed) > 0 else { return nil }
        let now = ContinuousClock.now
        return stripes.withLock(place.user) { entries in
            guard let at = Self.index(of: place, in: entries) else { return nil }
            guard let former = entries[place.user]?[at].settlement(at: now) else {
                return .follows
            }
            entries[place.user]?[at] = Entry(place: place)
            return .leads(after: former)
        }
    }

    /// For who would have a block where there is none.
    func begin(_ place: Place) -> Turn {
        guard count.load(ordering: .relaxed) < Self.countMax else { return .follows }
        return stripes.withLock(place.user) { entries in
            guard Self.index(of: place, in: entries) == nil else { return .follows }
            entries[place.user, default: []].append(Entry(place: place))
            count.add(1, ordering: .relaxed)
            return .leads(after: nil)
        }
    }

    /// Ends a turn: with what was lent, or without. It is granted of unless something has changed
    /// since.
    func install(_ loan: Loan?, at place: Place, since generation: UInt64) {
        stripes.withLock(place.user) { entries in
            guard let at = Self.index(of: place, in: entries) else { return }
            guard let loan else { return remove(at, of: place.user, &entries) }
            entries[place.user]?[at].loan = loan
            entries[place.user]?[at].isClosed = generation != self.generation
        }
    }

    // MARK: Ends

    /// Takes out what a customer was lent, to be told of at once. What is being asked for just now
    /// is closed when it comes.
    func takeAll(of user: UserID) -> [Settlement] {
        changes.add(1, ordering: .releasing)
        guard count.load(ordering: .relaxed) > 0 else { return [] }
        return take(of: user) { _, _ in true }
    }

    /// Closes what was lent on something that has changed.
    func close(_ user: UserID) {
        changes.add(1, ordering: .releasing)
        stripes.withLock(user) { entries in
            for at in entries[user]?.indices ?? 0..<0 { entries[user]?[at].isClosed = true }
        }
    }

    func closeAll() {
        changes.add(1, ordering: .releasing)
        stripes.withEach { entries in
            for user in entries.values.indices {
                for at in entries.values[user].indices {
                    entries.values[user][at].isClosed = true
                }
            }
        }
    }

    /// Takes out those that are closed, or that nobody has renewed since they ended.
    func takeEnded(at now: ContinuousClock.Instant) -> [Settlement] {
        guard count.load(ordering: .relaxed) > 0 else { return [] }
        return stripes.map { Array($0.keys) }.joined().flatMap { user in
            take(of: user) { $0 || now - $1.takenAt >= Self.life + Self.grace }
        }
    }

    /// Somebody asks again within this time, or nobody does.
    private static let grace: Duration = .milliseconds(100)

    private func take(
        of user: UserID, where isOver: (_ isClosed: Bool, _ loan: Loan) -> Bool
    ) -> [Settlement] {
        let now = ContinuousClock.now
        return stripes.withLock(user) { entries in
            var taken: [Settlement] = []
            for at in (entries[user]?.indices ?? 0..<0).reversed() {
                guard let entry = entries[user]?[at], let loan = entry.loan,
                    isOver(entry.isClosed, loan),
                    let settlement = entry.settlement(at: now)
                else { continue }
                taken.append(settlement)
                remove(at, of: user, &entries)
            }
            return taken
        }
    }

    private static func index(of place: Place, in entries: [UserID: [Entry]]) -> Int? {
        entries[place.user]?.firstIndex { $0.place.isSame(as: place) }
    }

    private func remove(_ at: Int, of user: UserID, _ entries: inout [UserID: [Entry]]) {
        entries[user]?.remove(at: at)
        if entries[user]?.isEmpty ?? false { entries[user] = nil }
        count.subtract(1, ordering: .relaxed)
    }
}
