import Domain
import Store

/// Ten audit rows by one user and one stranger, in a store, for tests that spoil them.
struct AuditChain {
    static let count: Int64 = 10
    let user: UserID
    let db: any Database

    init(in db: any Database) async throws {
        var sample = Sample()
        let user: UserID = sample.id()
        self.user = user
        self.db = db
        for number in 1...Self.count {
            let now = sample.now + .seconds(number)
            // Every second row is the user's doing, the third about them; some have no address.
            let actor: AuditEvent.Actor = number.isMultiple(of: 2) ? .shell : .user(user)
            let event = AuditEvent(
                action: "plan.updated", actor: actor,
                target: number.isMultiple(of: 3) ? "user:\(user)" : "plan:free",
                meta: .object([JSON.Member("number", .integer(number))]),
                requestID: "request-\(number)",
                address: number.isMultiple(of: 4) ? nil : "192.0.2.\(number)")
            try await db.write { db throws(Problem) in try db.audit.append(event, at: now) }
        }
    }

    /// The first row that does not fit the chain, read `count` rows at a time.
    func broken(pages count: Int = 3) async throws -> Int64? {
        var at: (sequence: Int64, hash: [UInt8]) = (0, [])
        while true {
            let (sequence, hash) = at
            let found = try await db.read { db throws(Problem) in
                let (broken, next) = try db.audit.verify(
                    after: sequence, previous: hash, count: count)
                return Found(broken: broken, sequence: next?.sequence, hash: next?.hash ?? [])
            }
            if let broken = found.broken { return broken }
            guard let sequence = found.sequence else { return nil }
            at = (sequence, found.hash)
        }
    }

    private struct Found: Sendable {
        let broken: Int64?
        let sequence: Int64?
        let hash: [UInt8]
    }
}
