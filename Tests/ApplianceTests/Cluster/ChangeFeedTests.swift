import Domain
import Logging
import Store
import Support
import Synchronization
import Testing

@testable import Appliance

@Suite("The feed of changes", .enabled(if: PostgresDatabase.isWanted))
struct ChangeFeedTests {
    /// What was forgotten, in words.
    private final class Told: Sendable {
        private let words = Mutex<[String]>([])
        private let fails = Mutex(false)

        func take() -> [String] {
            words.withLock { words in
                defer { words = [] }
                return words
            }
        }

        func add(_ word: String) throws(Problem) {
            words.withLock { $0.append(word) }
            if fails.withLock({ $0 }) { throw Problem(.unavailable, "") }
        }

        func fail(_ does: Bool) { fails.withLock { $0 = does } }
    }

    private let store: PostgresStore
    private let told = Told()
    private let freshness: Freshness
    private let feed: ChangeFeed

    init() throws {
        store = try PostgresStore(url: try PostgresDatabase.make(), readerCount: 1)
        let told = told
        let start = ContinuousClock.now
        // Its clock stands still: what counts is as of when it is renewed.
        freshness = Freshness { start }
        feed = ChangeFeed(
            store: store, freshness: freshness,
            memory: ChangeFeed.Memory(
                forget: { kind, subject throws(Problem) in
                    try told.add("\(kind.rawValue) \(subject)")
                },
                forgetAll: { () throws(Problem) in try told.add("all") }),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    private func change(_ kind: String, _ subjects: ClosedRange<Int>) async throws {
        try await store.write { db throws(Problem) in
            for subject in subjects {
                try db.execute(
                    """
                    INSERT INTO changes (kind, subject, at) VALUES (\(kind), \("\(subject)"), 1)
                    """)
            }
        }
    }

    @Test("It begins behind what was there, and then tells each change once, however many")
    func all() async throws {
        try await change("session", 1...3)
        #expect(!freshness.holds)
        try await feed.catchUp()
        #expect(told.take() == ["all"])
        #expect(freshness.holds)
        try await feed.catchUp()
        #expect(told.take() == [])
        try await change("key", 1...2500)
        try await feed.catchUp()
        #expect(told.take() == (1...2500).map { "key \($0)" })
        try await feed.catchUp()
        #expect(told.take() == [])
        store.close()
    }

    @Test("A change of a kind that it does not know may be any, and the next ones are told too")
    func unknown() async throws {
        try await feed.catchUp()
        _ = told.take()
        try await change("weather", 1...1)
        try await change("plan", 2...2)
        try await feed.catchUp()
        #expect(told.take() == ["all", "plan 2"])
        store.close()
    }

    @Test("Where changes were removed before they were read, or the store is an older one, all go")
    func gaps() async throws {
        try await feed.catchUp()
        _ = told.take()
        try await change("session", 1...5)
        let pruned = try await store.write { db throws(Problem) in
            try db.changes.prune(madeBefore: Timestamp(milliseconds: 2), atMost: 3)
        }
        #expect(pruned == 3)
        try await feed.catchUp()
        #expect(told.take() == ["all"])
        _ = try await store.write { db throws(Problem) in
            try db.execute("DELETE FROM changes WHERE seq > 4")
        }
        try await feed.catchUp()
        #expect(told.take() == ["all"])
        store.close()
    }

    @Test("What could not be forgotten is not passed over, and nothing is fresh by it")
    func failing() async throws {
        try await feed.catchUp()
        _ = told.take()
        try await change("keys", 1...1)
        told.fail(true)
        await #expect(throws: Problem.self) { try await feed.catchUp() }
        told.fail(false)
        try await feed.catchUp()
        #expect(told.take() == ["keys 1", "keys 1"])
        store.close()
    }
}
