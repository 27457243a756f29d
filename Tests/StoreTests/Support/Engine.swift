import Support
import Testing

/// What keeps a store. Every test of the contract runs on both.
enum Engine: String, CaseIterable, Sendable {
    case sqlite, postgres

    /// The engine that the running test is on.
    @TaskLocal static var current: Engine?

    static var wanted: [Engine] { PostgresDatabase.isWanted ? allCases : [.sqlite] }
}

/// Runs each test of a suite, and the suite's `init` before it, on each engine in turn.
struct OnEveryEngine: SuiteTrait, TestTrait, TestScoping {
    let isRecursive = true

    func scopeProvider(for test: Test, testCase: Test.Case?) -> Self? {
        testCase == nil ? nil : self
    }

    func provideScope(
        for test: Test, testCase: Test.Case?,
        performing function: @Sendable () async throws -> Void
    ) async throws {
        for engine in Engine.wanted {
            try await Engine.$current.withValue(engine) { try await function() }
        }
    }
}

extension Trait where Self == OnEveryEngine {
    static var onEveryEngine: Self { Self() }
}
