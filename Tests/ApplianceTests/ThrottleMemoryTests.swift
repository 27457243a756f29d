import Domain
import Store
import Support
import Testing

@testable import Appliance

@Suite("A run of guesses that memory has no room for")
struct ThrottleMemoryTests {
    private static let now = Timestamp(milliseconds: 1_795_435_200_000)

    /// A throttle whose memory has room for some 32 names.
    private static func run(
        _ body: (Throttle, SQLiteStore) async throws -> Void
    ) async throws {
        let folder = try TemporaryFolder()
        let store = try SQLiteStore(file: "\(folder.path)/gatehouse.db")
        defer { store.close() }
        try await body(Throttle(isEnabled: true, in: store, capacity: 32), store)
    }

    private static func save(_ throttle: Throttle, in store: SQLiteStore) async throws {
        let entries = throttle.takeUnsaved()
        try await store.write { db throws(Problem) in try db.rateStates.save(entries) }
        throttle.didSave(entries)
    }

    private static func guess(
        _ throttle: Throttle, _ subject: String
    ) async throws(Problem) {
        try await throttle.take(Throttle.Guess.login, subject, at: now)
    }

    private static func isRefused(_ throttle: Throttle, _ subject: String) async -> Bool {
        do throws(Problem) {
            try await guess(throttle, subject)
            return false
        } catch {
            return error.code == .rateLimited
        }
    }

    @Test("comes back from the store, and so does a success")
    func saved() async throws {
        try await Self.run { throttle, store async throws in
            for _ in 0..<10 { try await Self.guess(throttle, "ann") }
            for _ in 0..<3 { try await Self.guess(throttle, "bob") }
            await throttle.forgive(.login, "bob", at: Self.now)
            try await Self.save(throttle, in: store)
            for number in 0..<400 {
                try await Self.guess(throttle, "somebody \(number)")
                if number % 50 == 0 { try await Self.save(throttle, in: store) }
            }
            #expect(await Self.isRefused(throttle, "ann"))
            for _ in 0..<10 { try await Self.guess(throttle, "bob") }
            #expect(await Self.isRefused(throttle, "bob"))
        }
    }

    @Test("stays while the store has yet to learn of it")
    func unsaved() async throws {
        try await Self.run { throttle, store async throws in
            for _ in 0..<10 { try await Self.guess(throttle, "ann") }
            for number in 0..<400 { try await Self.guess(throttle, "somebody \(number)") }
            #expect(await Self.isRefused(throttle, "ann"))
            try await Self.save(throttle, in: store)
            let count: SQL = "SELECT count(*) FROM rate_states WHERE subject = 'guesses'"
            let kept = try await store.read { db throws(Problem) in try db.count(count) }
            #expect(kept == 401)
        }
    }

    @Test("is not begun while the store takes nothing: fifty thousand wait for it at most")
    func bounded() async throws {
        try await Self.run { throttle, _ async throws in
            for number in 0..<50_000 {
                try throttle.takeHere(.loginByAddress, "\(number)", at: Self.now)
            }
            do throws(Problem) {
                try await Self.guess(throttle, "ann")
                Issue.record("not refused")
            } catch {
                #expect(error.code == .overloaded)
            }
        }
    }
}
