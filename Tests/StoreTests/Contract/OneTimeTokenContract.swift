import Domain
import Store
import Testing

@Suite("One-time tokens")
struct OneTimeTokenContract {
    /// A token for `user` that lives a minute from `now`.
    private static func insert(
        _ hash: [UInt8], _ purpose: OneTimeTokens.Purpose, for user: Account?, at now: Timestamp,
        into db: any Database
    ) async throws {
        try await db.write { db throws(Problem) in
            try db.oneTimeTokens.insert(
                hash: hash, purpose: purpose, user: user?.id, email: user?.email, at: now,
                expiresAt: now + .seconds(60))
        }
    }

    private static func redeem(
        _ hash: [UInt8], _ purpose: OneTimeTokens.Purpose, at now: Timestamp,
        in db: any Database
    ) async throws -> OneTimeTokens.Live? {
        try await db.write { db throws(Problem) in
            try db.oneTimeTokens.redeem(hash, purpose: purpose, at: now)
        }
    }

    /// The hashes of the tokens that are left.
    private static func left(in db: any Database) async throws -> [[UInt8]] {
        try await db.read { db throws(Problem) in
            try db.rows("SELECT token_hash FROM one_time_tokens ORDER BY token_hash") {
                row throws(Problem) in try row.bytes()
            }
        }
    }

    @Test("A token that waited is given its time anew, unless it was used or replaced")
    func renewed() async throws {
        try await withStore { db in
            var sample = Sample()
            let (user, now) = (sample.account(), sample.now)
            try await db.insert(user)
            try await Self.insert([1], .reset, for: user, at: now, into: db)
            func renew(_ hash: [UInt8]) async throws -> Bool {
                try await db.write { db throws(Problem) in
                    try db.oneTimeTokens.renew(hash, until: now + .seconds(500))
                }
            }
            #expect(try await renew([1]))
            #expect(try await Self.redeem([1], .reset, at: now + .seconds(400), in: db) != nil)
            #expect(try await !renew([1]))
        }
    }

    @Test("A look at a token tells whose it is while it lives, and uses nothing up")
    func looked() async throws {
        try await withStore { db in
            var sample = Sample()
            let (user, now) = (sample.account(), sample.now)
            try await db.insert(user)
            try await Self.insert([1], .reset, for: user, at: now, into: db)
            func look(
                _ hash: [UInt8], _ purpose: OneTimeTokens.Purpose, after wait: Duration = .zero
            ) async throws -> OneTimeTokens.Live? {
                try await db.read { db throws(Problem) in
                    try db.oneTimeTokens.find(hash, purpose: purpose, at: now + wait)
                }
            }
            for _ in 0..<2 {
                let live = try #require(try await look([1], .reset))
                #expect(live.user == user.id)
                #expect(live.email == user.email)
            }
            #expect(try await look([1], .verify) == nil)
            #expect(try await look([2], .reset) == nil)
            #expect(try await look([1], .reset, after: .seconds(60)) == nil)
            #expect(try await Self.redeem([1], .reset, at: now, in: db)?.user == user.id)
            #expect(try await look([1], .reset) == nil)
        }
    }

    @Test("A token is redeemed once, and tells whose it is and the address it went to")
    func once() async throws {
        try await withStore { db in
            var sample = Sample()
            let account = sample.account()
            let now = sample.now
            try await db.insert(account)
            try await Self.insert([1], .verify, for: account, at: now, into: db)
            let redeemed = try #require(try await Self.redeem([1], .verify, at: now, in: db))
            #expect(redeemed.user == account.id)
            #expect(redeemed.email == account.email)
            #expect(try await Self.redeem([1], .verify, at: now, in: db)?.user == nil)
            #expect(try await db.count("SELECT count(*) FROM one_time_tokens") == 0)
        }
    }

    @Test("Of 64 who redeem it at once, one does")
    func concurrent() async throws {
        try await withStore { db in
            var sample = Sample()
            let account = sample.account()
            let now = sample.now
            try await db.insert(account)
            try await Self.insert([1], .reset, for: account, at: now, into: db)
            let winners = try await withThrowingTaskGroup(of: Bool.self) { group in
                for _ in 0..<64 {
                    group.addTask { try await Self.redeem([1], .reset, at: now, in: db) != nil }
                }
                return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(winners == 1)
        }
    }

    @Test("The setup token belongs to nobody, and while it lives the store says so")
    func setup() async throws {
        try await withStore { db in
            let now = Sample().now
            func hasLive(at moment: Timestamp) async throws -> Bool {
                try await db.read { db throws(Problem) in
                    try db.oneTimeTokens.hasLive(.setup, at: moment)
                }
            }
            #expect(try await !hasLive(at: now))
            try await Self.insert([1], .setup, for: nil, at: now, into: db)
            #expect(try await hasLive(at: now + .milliseconds(59_999)))
            #expect(try await !hasLive(at: now + .seconds(60)))
            let redeemed = try #require(try await Self.redeem([1], .setup, at: now, in: db))
            #expect(redeemed.user == nil && redeemed.email == nil)
            #expect(try await !hasLive(at: now))
        }
    }

    @Test("Another hash, another purpose or the end of its time redeems nothing")
    func refused() async throws {
        try await withStore { db in
            var sample = Sample()
            let account = sample.account()
            let now = sample.now
            try await db.insert(account)
            try await Self.insert([1], .verify, for: account, at: now, into: db)
            let late = now + .seconds(60)
            #expect(try await Self.redeem([2], .verify, at: now, in: db)?.user == nil)
            #expect(try await Self.redeem([1], .reset, at: now, in: db)?.user == nil)
            #expect(try await Self.redeem([1], .verify, at: late, in: db)?.user == nil)
            let last = late - .milliseconds(1)
            #expect(try await Self.redeem([1], .verify, at: last, in: db)?.user == account.id)
        }
    }

    @Test("A new token of its purpose replaces the old one of the same user, and no other")
    func replaces() async throws {
        try await withStore { db in
            var sample = Sample()
            let account = sample.account()
            let other = sample.account()
            let now = sample.now
            try await db.insert(account, other)
            try await Self.insert([1], .verify, for: account, at: now, into: db)
            try await Self.insert([2], .reset, for: account, at: now, into: db)
            try await Self.insert([3], .verify, for: other, at: now, into: db)
            try await Self.insert([4], .setup, for: nil, at: now, into: db)
            try await Self.insert([5], .verify, for: account, at: now, into: db)
            try await Self.insert([6], .setup, for: nil, at: now, into: db)
            let left = try await Self.left(in: db)
            #expect(left == [[2], [3], [5], [6]])
        }
    }

    @Test("All links of an account die together, and those of others live")
    func revokeAll() async throws {
        try await withStore { db in
            var sample = Sample()
            let account = sample.account()
            let other = sample.account()
            let now = sample.now
            try await db.insert(account, other)
            try await Self.insert([1], .verify, for: account, at: now, into: db)
            try await Self.insert([2], .reset, for: account, at: now, into: db)
            try await Self.insert([3], .verify, for: other, at: now, into: db)
            try await Self.insert([4], .setup, for: nil, at: now, into: db)
            try await db.write { db throws(Problem) in
                try db.oneTimeTokens.revokeAll(of: account.id)
            }
            let left = try await Self.left(in: db)
            #expect(left == [[3], [4]])
        }
    }

    @Test("Pruning takes the oldest that ended before the moment, and no more than asked")
    func prune() async throws {
        try await withStore { db in
            var sample = Sample()
            let now = sample.now
            for number in UInt8(1)...10 {
                let account = sample.account()
                try await db.insert(account)
                try await Self.insert(
                    [number], .verify, for: account, at: now + .seconds(Int64(number)), into: db)
            }
            func prune(_ most: Int) async throws -> Int {
                try await db.write { db throws(Problem) in
                    try db.oneTimeTokens.prune(
                        endedBefore: now + .seconds(66), atMost: most)
                }
            }
            func left() async throws -> Int64 {
                try await db.count("SELECT min(expires_at) - \(now) - 60000 FROM one_time_tokens")
            }
            #expect(try await prune(3) == 3)
            #expect(try await left() == 4000)
            #expect(try await prune(9) == 2)
            #expect(try await left() == 6000)
            #expect(try await prune(9) == 0)
        }
    }
}
