import Domain
import Support

@testable import Store

extension Database {
    /// An account whose address follows from its id.
    func insertUser(_ id: UserID) async throws {
        let account = Account(
            id: id, email: EmailAddress(canonical: "\(id)@example.org"), name: nil, role: .user,
            createdAt: .epoch, updatedAt: .epoch)
        try await insert(account)
    }
}

/// A store of the engine that the test is on, with two customers.
final class RecordStore: Sendable {
    static let now = Timestamp(milliseconds: 1_795_452_720_000)  // 2026-11-23T16:52:00Z

    let db: any Database
    private let end: @Sendable () -> Void
    let user = UsageDelta.Key.sample(1).user
    let other = UsageDelta.Key.sample(2).user

    init() async throws {
        switch Engine.current ?? .sqlite {
        case .sqlite:
            let folder = try TemporaryFolder()
            let store = try SQLiteStore(file: folder.path + "/gatehouse.db")
            db = store
            end = {
                store.close()
                withExtendedLifetime(folder) {}
            }
        case .postgres:
            let lent = try await PostgresServer.shared.borrow()
            db = lent.store
            end = { PostgresServer.shared.giveBack(lent) }
        }
        try await db.insertUser(user)
        try await db.insertUser(other)
    }

    deinit { end() }

    func write<Value: Sendable>(
        _ body: @escaping @Sendable (any Connection) throws(Problem) -> Value
    ) async throws -> Value { try await db.write(body) }

    func read<Value: Sendable>(
        _ body: @escaping @Sendable (any Connection) throws(Problem) -> Value
    ) async throws -> Value { try await db.read(body) }

    /// Rows of a table.
    func count(_ table: StaticString) async throws -> Int64 {
        try await db.count("SELECT count(*) FROM \(raw: table)")
    }

    func deleteUser() async throws {
        try await db.execute("DELETE FROM users WHERE id = \(user)")
    }

    /// How many of 64 callers at once are told that they were the one.
    func winners(
        _ body: @escaping @Sendable (any Connection) throws(Problem) -> Bool
    ) async throws -> Int {
        let db = db
        return try await withThrowingTaskGroup(of: Bool.self) { group in
            for _ in 0..<64 { group.addTask { try await db.write(body) } }
            var count = 0
            for try await hasWon in group where hasWon { count += 1 }
            return count
        }
    }
}

extension ID {
    /// The `number`th id of a test.
    static func sample(_ number: UInt64) -> ID {
        ID(high: 0x0199_0000_0000_7002, low: 0x8000_0000_0000_0000 | number)
    }
}
