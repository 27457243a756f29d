import Domain
import Testing

@testable import Store

@Suite("Folding usage", .onEveryEngine)
struct UsageFoldTests {
    private let store: RecordStore
    private let now = RecordStore.now

    init() async throws { store = try await RecordStore() }

    private func delta(
        _ value: Int64, user: UInt64 = 1, key: UInt64? = nil, hours: Int64 = 0
    ) -> UsageDelta {
        UsageDelta(
            key: .sample(user, key: key, hour: Window.hour.index(of: now) + hours), value: value)
    }

    private func fold(_ deltas: [UsageDelta], _ batch: UInt64) async throws -> Bool {
        try await store.write { db throws(Problem) in try db.usage.fold(deltas, batch: batch) }
    }

    /// `key/window` and the value, of the current windows.
    private func current(_ user: UInt64 = 1) async throws -> [String: Int64] {
        let id = UsageDelta.Key.sample(user).user
        let entries = try await store.read { [now] db throws(Problem) in
            try db.usage.current(of: id, at: now)
        }
        return Dictionary(
            uniqueKeysWithValues: entries.map {
                ("\($0.key == nil ? "account" : "key")/\($0.tally.window)", $0.tally.value)
            })
    }

    @Test("A delta is added to its hour, its day and its month, for the account and for a key")
    func windows() async throws {
        // Now is 16:52: an hour ago is the same day, a day ago the same month.
        #expect(
            try await fold(
                [delta(5), delta(7, hours: -1), delta(11, hours: -24), delta(3, key: 1)], 1))
        #expect(
            try await current() == [
                "account/hour": 5, "account/day": 12, "account/month": 23, "key/hour": 3,
                "key/day": 3, "key/month": 3,
            ])
        #expect(try await fold([delta(100)], 2))
        #expect(try await current()["account/hour"] == 105)
        #expect(try await current()["account/month"] == 123)
    }

    @Test("Each node's batches are counted for themselves, from where the lone process was")
    func perNode() async throws {
        var random = SystemRandomNumberGenerator()
        let nodes = [NodeName(using: &random), NodeName(using: &random)]
        func mark(_ node: NodeName?) async throws -> String {
            try await store.read { db throws(Problem) in
                try db.usage.foldMark(node: node).description
            }
        }
        func fold(_ batch: UInt64, _ node: NodeName?) async throws -> Bool {
            let deltas = [delta(5)]
            return try await store.write { db throws(Problem) in
                try db.usage.fold(deltas, batch: batch, node: node)
            }
        }
        #expect(try await fold(7, nil))
        #expect(try await [mark(nodes[0]), mark(nodes[1]), mark(nil)] == ["7", "7", "7"])
        #expect(try await !fold(7, nodes[0]))
        #expect(try await fold(8, nodes[0]))
        #expect(try await fold(8, nodes[1]))
        #expect(try await !fold(8, nodes[1]))
        #expect(try await fold(9, nodes[1]))
        #expect(try await [mark(nodes[0]), mark(nodes[1]), mark(nil)] == ["8", "9", "7"])
        #expect(try await current()["account/hour"] == 20)
    }

    @Test("A batch that was folded is not folded again, nor is an older one")
    func exactlyOnce() async throws {
        let before = try await store.read { db throws(Problem) in try db.usage.foldMark().batch }
        #expect(before == 0)
        #expect(try await fold([delta(5)], 7))
        #expect(try await !fold([delta(5)], 7))
        #expect(try await !fold([delta(5)], 6))
        #expect(try await fold([], 8))
        #expect(try await !fold([delta(5)], 8))
        #expect(try await current()["account/hour"] == 5)
        let after = try await store.read { db throws(Problem) in try db.usage.foldMark().batch }
        #expect(after == 8)
    }

    @Test("Parts of a batch come in the order of the ids, each once, and the last one ends it")
    func parts() async throws {
        let first = UsageDelta.Key.sample(1).user
        func part(_ value: Int64, of batch: UInt64) async throws -> Bool {
            let deltas = [delta(value)]
            return try await store.write { db throws(Problem) in
                try db.usage.fold(deltas, batch: batch, through: first)
            }
        }
        func mark() async throws -> FoldMark {
            try await store.read { db throws(Problem) in try db.usage.foldMark() }
        }
        #expect(try await part(5, of: 1))
        #expect(try await !part(5, of: 1))
        #expect(try await mark() == FoldMark(batch: 0, through: first))
        #expect(try await fold([delta(7, user: 2)], 1))
        #expect(try await !part(5, of: 1))
        #expect(try await mark() == FoldMark(batch: 1))
        #expect(try await current(1)["account/hour"] == 5)
        #expect(try await current(2)["account/hour"] == 7)
        await #expect(throws: Problem.self) { _ = try await part(5, of: 3) }
        #expect(try await part(5, of: 2))
        #expect(try await current(1)["account/hour"] == 10)
    }

    @Test(
        "A mark that cannot be read is no mark",
        arguments: ["", " ", "x", "-1", "7 ", "7 x", "7 01999999-0000-7000-8000-000000000001 "])
    func damagedMark(text: String) {
        #expect(FoldMark(text) == nil)
    }

    @Test("A mark is written so that it is read again")
    func markText() {
        for mark in [
            FoldMark(batch: 7), FoldMark(batch: 0, through: UsageDelta.Key.sample(1).user),
        ] {
            #expect(FoldMark(mark.description) == mark)
        }
    }

    @Test("Of 64 that fold the same batch at once, one does")
    func race() async throws {
        let deltas = [delta(5)]
        let count = try await store.winners { db throws(Problem) in
            try db.usage.fold(deltas, batch: 1)
        }
        #expect(count == 1)
        #expect(try await current()["account/hour"] == 5)
    }

    @Test("A fold that fails leaves neither counts nor its number")
    func failure() async throws {
        let deltas = [delta(5)]
        await #expect(throws: Problem.self) {
            try await store.write { db throws(Problem) in
                _ = try db.usage.fold(deltas, batch: 1)
                throw .internal(cause: "the test says so")
            }
        }
        #expect(try await current() == [:])
        #expect(try await fold(deltas, 1))
    }

    @Test("A counter stays between 0 and 2^53")
    func clamps() async throws {
        #expect(try await fold([delta(-5)], 1))
        #expect(try await current()["account/month"] == 0)
        #expect(try await fold([delta(5), delta(-9)], 2))
        #expect(try await current()["account/month"] == 0)
        #expect(try await fold([delta(JSON.integerMax - 1), delta(.max)], 3))
        #expect(try await current()["account/month"] == JSON.integerMax)
        #expect(try await fold([delta(-1), delta(.min)], 4))
        #expect(try await current()["account/month"] == 0)
    }

    @Test("A customer who is gone is passed over, the others are counted")
    func goneUser() async throws {
        #expect(try await fold([delta(5)], 1))
        try await store.deleteUser()
        #expect(try await store.count("usage_counters") == 0)
        #expect(try await fold([delta(5), delta(6, user: 2), delta(7, user: 99)], 2))
        #expect(try await current(2)["account/hour"] == 6)
        #expect(try await store.count("usage_counters") == 3)
    }
}
