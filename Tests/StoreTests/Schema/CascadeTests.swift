import Domain
import Store
import Testing

/// docs/data.md, Rules.
@Suite("Deleting a user")
struct CascadeTests {
    /// Rows of each table that `fill` makes for each user: a count is one of its hour, its day and
    /// its month.
    private static let gone: [String: Int64] = [
        "one_time_tokens": 1, "sessions": 1, "refresh_tokens": 1, "subscriptions": 1,
        "api_keys": 1, "usage_counters": 3, "usage_events": 1, "reservations": 1, "leases": 1,
        "items": 1, "second_factors": 1, "recovery_codes": 1, "quota_alerts": 1,
    ]

    /// Two users with one of everything each.
    private static func fill(_ db: any Database) async throws -> (gone: Account, stays: Account) {
        var sample = Sample()
        let plan = sample.plan("free")
        let accounts = [sample.account(), sample.account()]
        try await db.insert(plan)
        for account in accounts {
            try await db.insert(account)
            try await db.insert(sample.subscription(of: account.id, to: plan))
            let session = sample.session(of: account.id)
            let token = sample.token(of: session)
            let link = sample.bytes()
            let key = sample.key(of: account.id)
            let item = sample.item(of: account.id)
            let lease: LeaseID = sample.id()
            let reservation = sample.reservation(of: account.id)
            let answer = sample.answer(to: "user:\(account.id)")
            let now = sample.now
            let event = UsageEvents.Event(
                id: "a", user: account.id, key: nil, metric: "tokens", value: 3, at: now)
            try await db.write { db throws(Problem) in
                try db.sessions.insert(session)
                try db.sessions.insert(token, userAgent: nil, address: nil)
                try db.oneTimeTokens.insert(
                    hash: link, purpose: .verify, user: account.id, email: account.email, at: now,
                    expiresAt: now + .seconds(60))
                try db.apiKeys.insert(key)
                _ = try db.secondFactors.begin(
                    SecondFactor(userID: account.id, sealedSecret: [1], createdAt: now))
                try db.secondFactors.setRecoveryCodes([[1]], of: account.id)
                try db.items.insert(item)
                _ = try db.usageEvents.record([event], at: now)
                _ = try db.quotaAlerts.insert(
                    Sample.quotaUse(), of: account.id, threshold: .near, at: now)
                try db.reservations.insert(reservation)
                _ = try db.leases.insert(
                    lease, of: account.id, key: nil, resource: "jobs", at: now,
                    expiresAt: now + .seconds(60))
                _ = try db.idempotencyKeys.insert(answer, unlessNewerThan: now)
                try db.audit.append(
                    AuditEvent(
                        action: "a", actor: .user(account.id), target: "user:\(account.id)",
                        address: "192.0.2.1"), at: now)
            }
        }
        return (accounts[0], accounts[1])
    }

    @Test("It takes along what is the user's, and nothing of another's")
    func cascade() async throws {
        try await withStore { db in
            let (user, other) = try await Self.fill(db)
            func rows(_ table: String, of user: Account) async throws -> Int64 {
                try await db.count(
                    SQL(stringLiteral: "SELECT count(*) FROM \(table)")
                        + " WHERE user_id = \(user.id)")
            }
            for (table, count) in Self.gone {
                #expect(try await rows(table, of: user) == count, "\(table)")
            }
            let isDeleted = try await db.write { db throws(Problem) in
                try db.accounts.delete(user.id)
            }
            #expect(isDeleted)
            for (table, count) in Self.gone {
                #expect(try await rows(table, of: user) == 0, "\(table)")
                #expect(try await rows(table, of: other) == count, "\(table)")
            }
        }
    }

    @Test("Every table that names a user is among those that are emptied")
    func complete() async throws {
        try await withSQLiteStore { db, _ in
            let naming = try await db.texts(
                """
                SELECT t.name FROM sqlite_schema t JOIN pragma_foreign_key_list(t.name) f
                WHERE t.type = 'table' AND f."table" = 'users' AND f.on_delete = 'CASCADE'
                """)
            #expect(Set(naming) == Set(Self.gone.keys))
        }
    }

    @Test("The audit rows stay, and the plan, and answers until they are old")
    func stays() async throws {
        try await withStore { db in
            let (user, _) = try await Self.fill(db)
            _ = try await db.write { db throws(Problem) in try db.accounts.delete(user.id) }
            #expect(try await db.count("SELECT count(*) FROM audit_logs") == 2)
            #expect(
                try await db.count(
                    "SELECT count(*) FROM audit_logs WHERE actor = \("user:\(user.id)")") == 1)
            #expect(try await db.count("SELECT count(*) FROM plans") == 1)
            #expect(
                try await db.count(
                    "SELECT count(*) FROM idempotency_keys WHERE owner = \("user:\(user.id)")") == 1
            )
        }
    }

    @Test("A user who is not there is not deleted")
    func missing() async throws {
        try await withStore { db in
            let (user, _) = try await Self.fill(db)
            let answers = try await db.write { db throws(Problem) in
                [try db.accounts.delete(user.id), try db.accounts.delete(user.id)]
            }
            #expect(answers == [true, false])
        }
    }

    @Test("Deleting a session takes its refresh tokens; a plan in use cannot be deleted")
    func others() async throws {
        try await withStore { db in
            _ = try await Self.fill(db)
            try await db.execute("DELETE FROM sessions")
            #expect(try await db.count("SELECT count(*) FROM refresh_tokens") == 0)
            let problem = await db.refusal { db throws(Problem) in
                try db.execute("DELETE FROM plans")
            }
            let codes = [Engine.sqlite: "SQLite 787:", .postgres: "PostgreSQL 23503:"]
            let code = codes[Engine.current ?? .sqlite] ?? "none"
            #expect(problem?.cause?.hasPrefix(code) == true)
        }
    }
}
