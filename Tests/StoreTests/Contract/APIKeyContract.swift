import Domain
import Store
import Testing

@Suite("API keys")
struct APIKeyContract {
    private static func user(in db: any Database) async throws -> (Account, Sample) {
        var sample = Sample()
        let account = sample.account()
        try await db.insert(account)
        return (account, sample)
    }

    private static func insert(_ keys: APIKey..., into db: any Database) async throws {
        for key in keys {
            try await db.write { db throws(Problem) in try db.apiKeys.insert(key) }
        }
    }

    private static func find(_ key: APIKey, in db: any Database) async throws -> APIKey? {
        try await db.read { db throws(Problem) in try db.apiKeys.find(key.id, of: key.userID) }
    }

    private static func full(of user: UserID, _ sample: inout Sample) throws -> APIKey {
        let limits = try Limits(
            json: .object([
                JSON.Member("requests_per_second", .integer(5)),
                JSON.Member("calls_per_month", .null),
            ]))
        let networks = ["192.0.2.0/24", "2001:db8::/32", "198.51.100.7/32"]
        let id: APIKeyID = sample.id()
        return APIKey(
            id: id, userID: user, name: "Köy", publicID: "abcdefABCDEF", lastFour: "wxyz",
            secretHash: sample.bytes(), scopes: Scopes(Scope.allCases), limits: limits,
            allowedNetworks: networks.compactMap { Network($0) },
            expiresAt: sample.now + .seconds(1), lastUsedAt: sample.now + .seconds(2),
            revokedAt: sample.now + .seconds(3), createdAt: sample.now)
    }

    @Test("Every field comes back as it was written")
    func roundTrip() async throws {
        try await withStore { db in
            let (account, start) = try await Self.user(in: db)
            var sample = start
            let bare = sample.key(of: account.id)
            let full = try Self.full(of: account.id, &sample)
            try await Self.insert(bare, full, into: db)
            #expect(try await Self.find(bare, in: db) == bare)
            #expect(try await Self.find(full, in: db) == full)
            #expect(full.allowedNetworks.count == 3)
        }
    }

    @Test("A key without scopes and networks has none when it comes back")
    func empty() async throws {
        try await withStore { db in
            let (account, start) = try await Self.user(in: db)
            var sample = start
            var key = sample.key(of: account.id)
            key.scopes = []
            try await Self.insert(key, into: db)
            #expect(try await Self.find(key, in: db) == key)
        }
    }

    @Test("A key is found for its owner alone")
    func owners() async throws {
        try await withStore { db in
            let (account, start) = try await Self.user(in: db)
            var sample = start
            let stranger = sample.account()
            let key = sample.key(of: account.id)
            try await Self.insert(key, into: db)
            let found = try await db.read { db throws(Problem) in
                try db.apiKeys.find(key.id, of: stranger.id)
            }
            #expect(found == nil)
        }
    }

    @Test("A public id belongs to one key")
    func uniquePublicID() async throws {
        try await withStore { db in
            let (account, start) = try await Self.user(in: db)
            var sample = start
            let first = try Self.full(of: account.id, &sample)
            let second = try Self.full(of: account.id, &sample)
            try await Self.insert(first, into: db)
            let problem = await db.refusal { db throws(Problem) in
                try db.apiKeys.insert(second)
            }
            #expect(problem?.code == .internal)
            #expect(try await db.texts("SELECT id FROM api_keys") == [first.id.description])
        }
    }

    @Test("An update writes what its owner can change, and of that key alone")
    func update() async throws {
        try await withStore { db in
            let (account, start) = try await Self.user(in: db)
            var sample = start
            var key = sample.key(of: account.id)
            let other = sample.key(of: account.id)
            try await Self.insert(key, other, into: db)
            let full = try Self.full(of: account.id, &sample)
            key.name = full.name
            key.scopes = full.scopes
            key.limits = full.limits
            key.allowedNetworks = full.allowedNetworks
            key.expiresAt = full.expiresAt
            key.revokedAt = full.revokedAt
            let changed = key
            try await db.write { db throws(Problem) in try db.apiKeys.update(changed) }
            #expect(try await Self.find(key, in: db) == changed)
            #expect(try await Self.find(other, in: db) == other)
        }
    }

    @Test("The last use is kept")
    func recordUse() async throws {
        try await withStore { db in
            let (account, start) = try await Self.user(in: db)
            var sample = start
            let key = sample.key(of: account.id)
            let moment = sample.now + .seconds(5)
            try await Self.insert(key, into: db)
            try await db.write { db throws(Problem) in try db.apiKeys.recordUse(key.id, at: moment)
            }
            #expect(try await Self.find(key, in: db)?.lastUsedAt == moment)
        }
    }

    @Test("A key is revoked once, and keeps that moment")
    func revoke() async throws {
        try await withStore { db in
            let (account, start) = try await Self.user(in: db)
            var sample = start
            let key = sample.key(of: account.id)
            let moment = sample.now
            try await Self.insert(key, into: db)
            let answers = try await db.write { db throws(Problem) in
                [
                    try db.apiKeys.revoke(key.id, at: moment),
                    try db.apiKeys.revoke(key.id, at: moment + .seconds(1)),
                ]
            }
            #expect(answers == [true, false])
            #expect(try await Self.find(key, in: db)?.revokedAt == moment)
        }
    }

    @Test("Keys count while they are neither revoked nor run out, to the millisecond")
    func countLive() async throws {
        try await withStore { db in
            let (account, start) = try await Self.user(in: db)
            var sample = start
            let stranger = sample.account()
            try await db.insert(stranger)
            let moment = sample.now + .seconds(60)
            var revoked = sample.key(of: account.id)
            revoked.revokedAt = moment
            try await Self.insert(
                sample.key(of: account.id), sample.key(of: account.id, expiresAt: moment), revoked,
                sample.key(of: stranger.id), into: db)
            func count(at moment: Timestamp) async throws -> Int64 {
                try await db.read { db throws(Problem) in
                    try db.apiKeys.countLive(of: account.id, at: moment)
                }
            }
            #expect(try await count(at: moment - .milliseconds(1)) == 3)
            #expect(try await count(at: moment) == 1)
        }
    }

    @Test("The list runs from the newest, and inserts move no row from one page to another")
    func paging() async throws {
        try await withStore { db in
            let (account, start) = try await Self.user(in: db)
            var sample = start
            let stranger = sample.account()
            try await db.insert(stranger)
            var made: [APIKey] = []
            for _ in 0..<10 {
                made.append(sample.key(of: account.id))
                try await Self.insert(sample.key(of: stranger.id), into: db)
            }
            for key in made.shuffled(using: &sample.random) { try await Self.insert(key, into: db) }
            let found = try await readInPages(
                id: { $0.id.description },
                meanwhile: { try await Self.insert(sample.key(of: account.id), into: db) },
                page: { page in
                    try await db.read { db throws(Problem) in
                        try db.apiKeys.list(of: account.id, page)
                    }
                })
            #expect(found == made.reversed())
        }
    }
}
