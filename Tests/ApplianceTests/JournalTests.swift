import Domain
import Store
import Support
import Testing

@testable import Appliance

@Suite("Journal")
struct JournalTests {
    private static let now = Timestamp("2026-11-23T16:52:00.000Z") ?? .epoch

    private let folder: TemporaryFolder
    private let file: CounterFile
    private let journal: Journal

    init() throws {
        folder = try TemporaryFolder()
        file = try CounterFile(path: folder.path + "/counters")
        file.reset(openingBatch: 1)
        journal = Journal(file: file)
    }

    private static func user(_ number: UInt64) -> UserID {
        UserID(high: 0x0199_0000_0000_7000, low: number)
    }

    /// A customer who may do anything, and where their counts are.
    private struct Someone {
        var customer: Customer
        var places = Journal.Places()

        init() throws {
            let rules = Ruleset(try Limits(json: .object([])))
            customer = Customer(
                standing: Standing(planSlug: "pro", rules: rules, expiresAt: nil))
        }
    }

    private func count(_ cost: Int64, of number: UInt64, _ someone: inout Someone) {
        var review = Review()
        let demand = Demand(metric: Demand.requests, cost: cost)
        #expect(someone.customer.admit(demand, key: nil, at: Self.now, &review) == .granted)
        journal.write(
            review.bookings, of: Self.user(number), &someone.customer, &someone.places)
    }

    private func tidy(_ someone: inout Someone, folded batch: UInt64) {
        journal.tidy(&someone.customer, &someone.places, folded: batch)
    }

    @Test("A batch is folded in parts, in the order of the ids, and stays until its last one")
    func parts() throws {
        var people = try (0..<5).map { _ in try Someone() }
        for number in [3, 0, 4, 1, 2] { count(7, of: UInt64(number), &people[number]) }
        #expect(journal.closeBatch())
        #expect(!journal.closeBatch())
        var seen: [UserID] = []
        var ends: [UserID?] = []
        while let part = journal.part(atMost: 2) {
            #expect(part.batch == 1)
            #expect(journal.part(atMost: 2)?.users == part.users)
            seen += part.users
            ends.append(part.through)
            #expect(file.closingBatch == 1)
            journal.didFold(part)
        }
        #expect(seen == (0..<5).map(Self.user))
        #expect(ends == [Self.user(1), Self.user(3), nil])
        #expect(file.closingBatch == nil)
        #expect(journal.backlog == 0)
        #expect(!journal.closeBatch())
    }

    @Test("What is counted while a batch is being folded belongs to the next one")
    func meanwhile() throws {
        var people = try (0..<2).map { _ in try Someone() }
        for number in people.indices { count(7, of: UInt64(number), &people[number]) }
        #expect(journal.closeBatch())
        let part = try #require(journal.part(atMost: 1))
        count(5, of: 0, &people[0])
        #expect(journal.deltas(people[0].places, batch: 1).map(\.value) == [7])
        journal.didFold(part)
        tidy(&people[0], folded: 1)
        count(3, of: 1, &people[1])
        #expect(journal.backlog == 3)
        #expect(journal.deltas(people[1].places, batch: 1).map(\.value) == [7])
        let last = try #require(journal.part(atMost: 9))
        #expect(last.isLast)
        journal.didFold(last)
        tidy(&people[1], folded: 1)
        #expect(journal.closeBatch())
        let next = try #require(journal.part(atMost: 9))
        #expect(next.users == [Self.user(0), Self.user(1)])
        #expect(journal.deltas(people[0].places, batch: 2).map(\.value) == [5])
        #expect(journal.deltas(people[1].places, batch: 2).map(\.value) == [3])
    }

    @Test("A place is given back once the store has what was counted in it, and not before")
    func places() throws {
        var someone = try Someone()
        count(7, of: 1, &someone)
        #expect(journal.closeBatch())
        tidy(&someone, folded: 0)
        #expect(file.figures.slots == 1)
        let part = try #require(journal.part(atMost: 1))
        journal.didFold(part)
        tidy(&someone, folded: part.batch)
        #expect(file.figures.slots == 0)
        #expect(someone.places.isEmpty)
        count(1, of: 1, &someone)
        #expect(file.figures.slots == 1)
    }
}
