import Domain
import Store
import Support
import Testing

@testable import Appliance

/// What a node does with a block, by itself.
@Suite("Blocks on a node")
struct SharedBlocksTests {
    private let folder: TemporaryFolder
    private let journal: Journal
    private let places: SharedPlaces
    private let blocks: SharedBlocks
    private let user: UserID
    private let now = FakeClock().now

    init() throws {
        folder = try TemporaryFolder()
        let file = try CounterFile(path: folder.path + "/counters")
        file.reset(openingBatch: 1)
        journal = Journal(file: file)
        places = SharedPlaces(journal: journal)
        places.enter("a")
        blocks = SharedBlocks(places: places)
        var random = SplitMix64(seed: 1)
        user = ID(at: now, using: &random)
    }

    private var place: SharedBlocks.Place {
        SharedBlocks.Place(user: user, metric: "requests", key: nil)
    }

    /// Lends this node that many units of a plan with a thousand.
    private func lend(
        _ amount: Int64, epoch: String = "a", takenAt: ContinuousClock.Instant = .now,
        since generation: UInt64? = nil
    ) throws {
        let generation = generation ?? blocks.generation
        guard case .leads = blocks.turn(place) ?? blocks.begin(place) else {
            throw TemporaryFolder.Failure(what: "somebody else leads")
        }
        var random = SystemRandomNumberGenerator()
        let limits = try Limits(json: .object([JSON.Member("requests_per_month", .integer(1000))]))
        let customer = Customer(
            standing: Standing(planSlug: "test", rules: Ruleset(limits), expiresAt: nil))
        let block = Block(
            id: ID(at: now, using: &random), keyID: nil, metric: "requests", amount: amount,
            createdAt: now, expiresAt: now + SharedBlocks.patience)
        blocks.install(
            SharedBlocks.Loan(block: block, epoch: epoch, takenAt: takenAt, customer: customer),
            at: place, since: generation)
    }

    private func grant(_ cost: Int64 = 1, at moment: Timestamp? = nil) -> Bool {
        var review = Review()
        let demand = Demand(metric: "requests", cost: cost)
        return blocks.grant(place, demand, at: moment ?? now, &review) != nil
    }

    @Test("A block is granted to the last unit and not past it, and each unit is journalled")
    func units() throws {
        #expect(!grant())
        try lend(10)
        #expect(grant(4) && !grant(7) && grant(5) && !grant(2) && grant() && !grant())
        #expect(blocks.takeAll(of: user).map(\.spent) == [10])
        #expect(journal.closeBatch())
        #expect(places.deltas(of: user, batch: 1).map(\.value) == [10])
        #expect(blocks.current == 0 && !grant())
    }

    @Test("Nothing is granted of a block that is a second old, or in another hour or epoch")
    func ends() throws {
        try lend(10, takenAt: .now - .seconds(1))
        #expect(!grant())
        try lend(10)
        #expect(grant() && !grant(at: now + .seconds(3600)) && grant())
        places.enter("b")
        #expect(!grant())
        places.enter("a")
        // Once over it is over.
        #expect(!grant())
    }

    @Test("What a block was lent on may change: before it is there, and after")
    func changes() throws {
        let before = blocks.generation
        blocks.close(user)
        try lend(10, since: before)
        #expect(!grant())
        try lend(10)
        #expect(grant())
        blocks.closeAll()
        #expect(!grant())
        #expect(blocks.takeEnded(at: .now).map(\.spent) == [1])
    }

    @Test("One asks for the next block, and is told of the last one's use; the others follow")
    func turns() throws {
        #expect(blocks.turn(place) == nil)
        guard case .leads(after: nil) = blocks.begin(place), case .follows = blocks.begin(place),
            case .follows = blocks.turn(place)
        else {
            Issue.record("not one who leads")
            return
        }
        blocks.install(nil, at: place, since: 0)
        #expect(blocks.current == 0)
        try lend(10)
        #expect(grant(3))
        guard case .leads(after: let former?) = blocks.turn(place) else {
            Issue.record("nobody leads")
            return
        }
        #expect(former.spent == 3 && former.block.amount == 10)
        #expect(blocks.takeAll(of: user).isEmpty && blocks.current == 1)
    }

    @Test("A block that nobody renews ends a moment after its second")
    func idle() throws {
        try lend(10)
        #expect(blocks.takeEnded(at: .now + SharedBlocks.life).isEmpty)
        #expect(blocks.takeEnded(at: .now + SharedBlocks.life + .milliseconds(200)).count == 1)
        #expect(blocks.current == 0)
    }

    @Test("The next block is to last a second, and grows by no more than eight times")
    func amounts() {
        #expect(BlockPace.amount(afterSpending: 100, in: .milliseconds(500)) == 200)
        #expect(BlockPace.amount(afterSpending: 100, in: .milliseconds(1)) == 800)
        #expect(BlockPace.amount(afterSpending: 100, in: .seconds(2)) == 100)
        #expect(BlockPace.amount(afterSpending: 60_000, in: .zero) == BlockPace.amountMax)
    }
}
