import Domain
import Store
import Synchronization

/// A store that cannot answer, and counts who asked.
final class NoStore: Database {
    private let count = Mutex(0)

    let enqueued = Wake()

    var asked: Int { count.withLock { $0 } }

    func close() {}

    func read<Value: Sendable>(
        _ body: @escaping @Sendable (any Connection) throws(Problem) -> Value
    ) async throws(Problem) -> Value {
        count.withLock { $0 += 1 }
        throw Problem(.unavailable, "The store is away.")
    }

    func write<Value: Sendable>(
        _ body: @escaping @Sendable (any Connection) throws(Problem) -> Value
    ) async throws(Problem) -> Value {
        try await read(body)
    }
}
