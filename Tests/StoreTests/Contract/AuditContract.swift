import Domain
import Store
import Testing

@Suite("The audit log")
struct AuditContract {
    private static func list(
        _ db: any Database, _ filter: AuditLog.Filter = AuditLog.Filter(),
        before: Int64? = nil, limit: Int = 99
    ) async throws -> [AuditLog.Entry] {
        try await db.read { db throws(Problem) in
            try db.audit.list(filter, before: before, limit: limit)
        }
    }

    @Test("Every field comes back as it was written", arguments: [true, false])
    func roundTrip(isFull: Bool) async throws {
        try await withStore { db in
            var sample = Sample()
            let user: UserID = sample.id()
            let now = sample.now
            let event = AuditEvent(
                action: "a.b", actor: isFull ? .user(user) : .anonymous, target: "plan:frée",
                meta: isFull ? .object([JSON.Member("a", .array([.null]))]) : .object([]),
                requestID: isFull ? "r" : nil, address: isFull ? "2001:db8::1" : nil)
            try await db.write { db throws(Problem) in try db.audit.append(event, at: now) }
            let entry = try #require(try await Self.list(db).first)
            #expect(entry.sequence == 1 && entry.at == now)
            #expect(entry.action == event.action && entry.actor == event.actor.text)
            #expect(entry.target == event.target && entry.meta == event.meta)
            #expect(entry.requestID == event.requestID && entry.address == event.address)
        }
    }

    @Test("64 that append at once make a sequence without gaps and a chain that holds")
    func concurrent() async throws {
        try await withStore { db in
            let now = Sample().now
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<64 {
                    group.addTask {
                        try await db.write { db throws(Problem) in
                            try db.audit.append(
                                AuditEvent(
                                    action: "a", actor: .system, target: "plan:\(number)",
                                    address: "192.0.2.1"), at: now)
                        }
                    }
                }
                try await group.waitForAll()
            }
            let entries = try await Self.list(db)
            #expect(entries.map(\.sequence) == (1...64).reversed())
            #expect(Set(entries.map(\.target)).count == 64)
            let end = try await db.read { db throws(Problem) in
                let (broken, next) = try db.audit.verify(after: 0, previous: [], count: 99)
                return [broken, next?.sequence]
            }
            #expect(end == [nil, 64])
        }
    }

    @Test("A row whose transaction fails is not written, and leaves no gap")
    func failed() async throws {
        try await withStore { db in
            let now = Sample().now
            func append(_ target: String, fails: Bool) async -> Problem? {
                await db.refusal { db throws(Problem) in
                    try db.audit.append(
                        AuditEvent(action: "a", actor: .shell, target: target), at: now)
                    if fails { throw .notFound("thing") }
                }
            }
            #expect(await append("one", fails: false) == nil)
            #expect(await append("two", fails: true)?.code == .notFound)
            #expect(await append("three", fails: false) == nil)
            let entries = try await Self.list(db)
            #expect(entries.map(\.sequence) == [2, 1])
            #expect(entries.map(\.target) == ["three", "one"])
        }
    }

    @Test("It is listed from the newest, in pages that new rows do not move")
    func paging() async throws {
        try await withStore { db in
            let chain = try await AuditChain(in: db)
            var found: [Int64] = []
            var before: Int64?
            for _ in 0..<4 {
                let page = try await Self.list(db, before: before, limit: 3)
                found += page.map(\.sequence)
                before = page.last?.sequence
                try await db.write { db throws(Problem) in
                    try db.audit.append(
                        AuditEvent(action: "a", actor: .user(chain.user), target: "b"),
                        at: .epoch)
                }
            }
            #expect(found == (1...AuditChain.count).reversed())
        }
    }

    @Test("Each filter keeps what fits, and together they keep what fits all")
    func filters() async throws {
        try await withStore { db in
            let chain = try await AuditChain(in: db)
            let start = Sample().now
            try await db.write { db throws(Problem) in
                try db.audit.append(
                    AuditEvent(action: "other", actor: .system, target: "b"), at: start)
            }
            func list(_ set: (inout AuditLog.Filter) -> Void) async throws -> [Int64] {
                var filter = AuditLog.Filter()
                set(&filter)
                return try await Self.list(db, filter).map(\.sequence)
            }
            let user = "user:\(chain.user)"
            #expect(try await list { $0.actor = user } == [9, 7, 5, 3, 1])
            #expect(try await list { $0.target = user } == [9, 6, 3])
            #expect(try await list { $0.action = "other" } == [11])
            #expect(try await list { $0.actor = "nobody" } == [])
            // The moment that begins is in, the one that ends is out.
            let (from, to) = (start + .seconds(4), start + .seconds(7))
            let span = try await list {
                $0.from = from
                $0.to = to
            }
            #expect(span == [6, 5, 4])
            let all = try await list {
                $0.actor = user
                $0.target = user
                $0.action = "plan.updated"
                $0.from = from
            }
            #expect(all == [9])
        }
    }
}
