import Domain
import Testing

@testable import Store

/// A count's way into the store, cut off at each of its steps; a process that dies is a file that
/// is opened anew.
@Suite("Counter file and store, cut off between their steps")
struct CounterCrashTests {
    enum Step: Int, CaseIterable { case counted, advanced, folded, ended }
    enum Start: Int, CaseIterable { case recovered, folded, reset }

    private let store: RecordStore
    private let home: CounterFolder

    init() async throws {
        store = try await RecordStore()
        home = try CounterFolder()
    }

    private func fold(
        _ deltas: [UsageDelta], _ batch: UInt64, through: UserID? = nil
    ) async throws {
        let isNew = try await store.write { db throws(Problem) in
            try db.usage.fold(deltas, batch: batch, through: through)
        }
        #expect(isNew)
    }

    /// Counts 5, and 7 more once the batch is closing, as far as `step`.
    private func count(until step: Step, in file: CounterFile) async throws -> Int64 {
        let place = try #require(file.open(.sample(1)))
        #expect(file.add(5, to: place))
        if step == .counted { return 5 }
        let batch = try #require(file.advance())
        #expect(file.add(7, to: place))
        if step == .advanced { return 12 }
        try await fold(
            [UsageDelta(key: .sample(1), value: file.delta(at: place, batch: batch))], batch)
        if step == .folded { return 12 }
        file.didFold(batch)
        return 12
    }

    /// What a start does, as far as `end`; nil when it did not come to its end.
    private func start(until end: Start) async throws -> CounterFile? {
        let file = try CounterFile(path: home.path)
        let mark = try await store.read { db throws(Problem) in try db.usage.foldMark() }
        let deltas = try file.recover(after: mark)
        if end == .recovered { return nil }
        try await fold(deltas, mark.batch + 2)
        if end == .folded { return nil }
        file.reset(openingBatch: mark.batch + 3)
        return file
    }

    private func used(_ user: UserID? = nil) async throws -> Int64 {
        let entries = try await store.read { [user = user ?? store.user] db throws(Problem) in
            try db.usage.history(
                of: user, metric: "requests", window: .hour, from: "2026-11-23T00",
                to: "2026-11-23T23")
        }
        return entries.reduce(0) { $0 + $1.value }
    }

    @Test("Every count is in the store once", arguments: Step.allCases, Start.allCases)
    func once(step: Step, end: Start) async throws {
        var expected: Int64 = 0
        for _ in 0..<3 {
            let file = try #require(try await start(until: .reset))
            expected += try await count(until: step, in: file)
            _ = try await start(until: end)
        }
        _ = try await start(until: .reset)
        #expect(try await used() == expected)
    }

    @Test("A batch that was cut off between its parts is in the store once, whoever is in which")
    func parts() async throws {
        let keys: [UsageDelta.Key] = [.sample(1), .sample(2)]
        for round in 1...3 {
            let file = try #require(try await start(until: .reset))
            let places = try keys.map { try #require(file.open($0)) }
            for place in places { #expect(file.add(5, to: place)) }
            let batch = try #require(file.advance())
            for place in places { #expect(file.add(7, to: place)) }
            try await fold(
                [UsageDelta(key: keys[0], value: file.delta(at: places[0], batch: batch))], batch,
                through: keys[0].user)
            // Cleared or not: it is marked as folded.
            if round == 2 { file.clear(places[0], batch: batch) }
            let next = try #require(try await start(until: .reset))
            #expect(next.openBatch == batch + 2)
            for key in keys { #expect(try await used(key.user) == Int64(round * 12)) }
        }
    }
}
