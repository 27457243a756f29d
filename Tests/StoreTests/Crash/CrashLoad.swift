import Domain
import Glibc
import Support
import Synchronization

@testable import Store

/// The child's part of a crash: many writers, each of whom notes in a file what was acknowledged,
/// until the process is killed.
struct CrashLoad {
    let store: SQLiteStore
    let notes: TestFile

    static let writers = 16
    /// Far more than a child lives to write.
    private static let rowsEach = 10_000
    /// Most of a page, so that the log soon has the 1000 pages of a checkpoint.
    private static let name = String(repeating: "x", count: 3500)

    static func notes(in folder: String) -> TestFile { TestFile(path: "\(folder)/acknowledged") }

    static func file(in folder: String) -> String { "\(folder)/gatehouse.db" }

    init(folder: String) throws {
        store = try SQLiteStore(file: Self.file(in: folder))
        notes = Self.notes(in: folder)
    }

    private final class Counter: Sendable {
        private let value = Atomic(0)

        func increment() -> Int { value.add(1, ordering: .relaxed).newValue }
    }

    /// Dies right after the answer to a write, or, if `spins`, at any point of the writer's work.
    func run(seed: UInt64, acknowledged limit: Int, spins: Bool) async throws {
        let acknowledged = Counter()
        let watcher = WorkThread(name: "killer") { [store] in
            guard spins else { return }
            while store.writerFigures.units < limit { sched_yield() }
            kill(getpid(), SIGKILL)
        }
        guard watcher != nil else { throw TemporaryFolder.Failure(what: "no thread") }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<Self.writers {
                group.addTask {
                    var sample = Sample(seed: seed &* 100 &+ UInt64(writer))
                    for _ in 0..<Self.rowsEach {
                        let account = sample.account(name: Self.name)
                        _ = try await store.write { db throws(Problem) in
                            try db.accounts.insert(account, passwordHash: nil)
                        }
                        try notes.append("\(account.id)\n")
                        let count = acknowledged.increment()
                        if !spins, count >= limit { kill(getpid(), SIGKILL) }
                    }
                }
            }
            try await group.waitForAll()
        }
    }
}
