import Domain
import Testing

@testable import Appliance

@Suite("Lines of customers")
struct CustomerLinesTests {
    private static let user = UserID(high: 0x0199_0000_0000_7000, low: 1)
    private static let now = Timestamp(milliseconds: 1_795_435_200_000)

    private let lines = CustomerLines()

    private static func nothing() -> CustomerLines.Step { CustomerLines.Step { _, _ in false } }

    private static func units(_ cost: Int64, of metric: String = "words") -> Correction {
        Correction(Demand(metric: metric, cost: cost), key: nil)
    }

    /// What a customer who has used nothing shows after some corrections.
    private static func used(_ owed: [Correction], _ metric: String = "words") -> Int64 {
        var customer = Customer(standing: nil)
        for correction in owed { correction.apply(to: &customer, at: now) }
        return customer.account.tally(metric)?.counter(.month, at: now).used ?? 0
    }

    @Test("One leads, and all who come meanwhile go with the next")
    func batches() async throws {
        let first = Self.nothing()
        guard case .leads = await lines.enter(Self.user, first) else {
            Issue.record("nobody leads")
            return
        }
        let batch = lines.take(Self.user, leading: first)
        #expect(batch.steps.count == 1)
        await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<5 {
                group.addTask {
                    let step = Self.nothing()
                    switch await lines.enter(Self.user, step) {
                    case .isDone(let outcome): return (try? outcome.get()) == nil
                    case .leads:
                        // Those who have come by now are in it; who has not leads another.
                        let batch = lines.take(Self.user, leading: step)
                        lines.leave(
                            Self.user, batch, .failure(SharedCustomers.away), left: batch.owed)
                        return true
                    }
                }
            }
            lines.leave(Self.user, batch, .success(Acceptance(epoch: "a.1")), left: [])
            let answers = await group.reduce(into: []) { $0.append($1) }
            #expect(answers == [true, true, true, true, true])
        }
        guard case .leads = await lines.enter(Self.user, first) else {
            Issue.record("the line has not ended")
            return
        }
    }

    @Test("What could not be told is told before what came since")
    func order() async throws {
        lines.enter("a.1")
        let step = Self.nothing()
        _ = await lines.enter(Self.user, step)
        #expect(lines.owe(Self.user, Self.units(1, of: "words")) == .noted)
        let batch = lines.take(Self.user, leading: step)
        #expect(lines.owes(Self.user))
        #expect(lines.owe(Self.user, Self.units(2, of: "pages")) == .noted)
        lines.leave(Self.user, batch, .failure(SharedCustomers.away), left: batch.owed)
        _ = await lines.enter(Self.user, step)
        let next = lines.take(Self.user, leading: step)
        #expect(next.owed.count == 2)
        #expect(Self.used(Array(next.owed.prefix(1))) == 1)
        lines.leave(Self.user, next, .success(Acceptance(epoch: "a.1")), left: [])
        #expect(!lines.owes(Self.user))
    }

    @Test("The same demand many times is owed as one number")
    func merged() async throws {
        lines.enter("a.1")
        for _ in 0..<1000 { #expect(lines.owe(Self.user, Self.units(3)) == .noted) }
        let step = Self.nothing()
        _ = await lines.enter(Self.user, step)
        let owed = lines.take(Self.user, leading: step).owed
        #expect(owed.count == 1)
        #expect(Self.used(owed) == 3000)
    }

    @Test("What is owed ends with its epoch, and what is of another is not noted")
    func epochs() {
        #expect(lines.owe(Self.user, Self.units(1)) == .isOver)
        lines.enter("a.1")
        #expect(lines.owe(Self.user, Self.units(1), in: "a.1") == .noted)
        lines.enter("a.2")
        #expect(!lines.owes(Self.user))
        #expect(lines.owe(Self.user, Self.units(1), in: "a.1") == .isOver)
        #expect(lines.owed(atMost: 9).isEmpty)
    }
}
