import Domain
import Store
import Testing

@Suite("Cleaning up sessions")
struct SessionPruneContract {
    @Test("What ended before the moment goes, the oldest first, no more than asked of each kind")
    func bounds() async throws {
        try await withStore { db in
            var sample = Sample()
            let account = sample.account()
            try await db.insert(account)
            // Ten sessions, each ends a second after the one before; a token that ends with each.
            let start = sample.now
            var sessions: [Session] = []
            for number in 1...10 {
                let id: SessionID = sample.id()
                sessions.append(
                    Session(
                        id: id, userID: account.id, createdAt: start, lastUsedAt: start,
                        expiresAt: start + .seconds(Int64(number)), userAgent: nil, address: nil))
            }
            for session in sessions {
                let token = sample.token(of: session)
                try await db.write { db throws(Problem) in
                    try db.sessions.insert(session)
                    try db.sessions.insert(token, userAgent: nil, address: nil)
                }
            }
            func prune(_ most: Int) async throws -> Int {
                try await db.write { db throws(Problem) in
                    try db.sessions.prune(endedBefore: start + .seconds(6), atMost: most)
                }
            }
            func left(_ table: String) async throws -> [Int64] {
                let all: SQL = "SELECT expires_at - \(start) FROM "
                return try await db.numbers(
                    all + SQL(stringLiteral: "\(table) ORDER BY expires_at"))
            }
            #expect(try await prune(2) == 4)
            for table in ["sessions", "refresh_tokens"] {
                #expect(try await left(table) == (3...10).map { $0 * 1000 }, "\(table)")
            }
            #expect(try await prune(100) == 6)
            #expect(try await prune(100) == 0)
            for table in ["sessions", "refresh_tokens"] {
                #expect(try await left(table) == (6...10).map { $0 * 1000 }, "\(table)")
            }
        }
    }

    @Test("A token that ended goes alone; its session stays")
    func tokenAlone() async throws {
        try await withStore { db in
            var sample = Sample()
            let account = sample.account()
            let session = sample.session(of: account.id)
            let token = RefreshToken(
                hash: sample.bytes(), sessionID: session.id, userID: account.id, generation: 1,
                issuedAt: sample.now, expiresAt: sample.now + .seconds(1))
            let moment = sample.now + .seconds(2)
            try await db.insert(account)
            let (gone, found) = try await db.write { db throws(Problem) in
                try db.sessions.insert(session)
                try db.sessions.insert(token, userAgent: nil, address: nil)
                return (
                    try db.sessions.prune(endedBefore: moment, atMost: 9),
                    try db.sessions.find(session.id)
                )
            }
            #expect(gone == 1)
            #expect(found == session)
        }
    }
}
