import Domain
import Testing

@testable import Store

/// What other nodes are told of, whoever writes it and how.
@Suite("Changes on PostgreSQL", .enabled(if: Engine.wanted.contains(.postgres)))
struct ChangesTests {
    private static func last(_ store: PostgresStore) async throws -> Int64 {
        try await store.read { db throws(Problem) in try db.changes.reach().last }
    }

    /// `kind subject` of what a body has changed.
    private static func changes(
        _ store: PostgresStore,
        _ body: @escaping @Sendable (any Connection) throws(Problem) -> Void
    ) async throws -> [String] {
        let last = try await last(store)
        try await store.write(body)
        return try await store.read { db throws(Problem) in
            try db.changes.list(after: last, atMost: 100).map {
                "\($0.kind?.rawValue ?? "unknown") \($0.subject)"
            }
        }
    }

    @Test("Whatever changes of an API key is told, but for when it was last used")
    func keyColumns() async throws {
        try await PostgresServer.shared.with { lent in
            let store = lent.store
            var sample = Sample()
            let (owner, other) = (sample.account(), sample.account())
            try await store.insert(owner, other)
            let columns = try await store.texts(
                """
                SELECT column_name || ' ' || data_type FROM information_schema.columns
                WHERE table_schema = current_schema() AND table_name = 'api_keys'
                ORDER BY ordinal_position
                """)
            #expect(columns.count == 16)
            var silent: [String] = []
            for column in columns {
                let key = sample.key(of: owner.id)
                try await store.write { db throws(Problem) in try db.apiKeys.insert(key) }
                let words = column.split(separator: " ")
                let literal =
                    switch (words[0], words[1]) {
                    case ("user_id", _): "'\(other.id)'"
                    case (_, "bigint"): "7"
                    case (_, "bytea"): "'\\x07'"
                    case (_, _): "'\(column)'"
                    }
                let change = SQL(
                    stringLiteral:
                        "UPDATE api_keys SET \(words[0]) = \(literal) WHERE id = '\(key.id)'")
                let told = try await Self.changes(store) { db throws(Problem) in
                    try db.execute(change)
                }
                if told.isEmpty {
                    silent.append(String(words[0]))
                } else {
                    #expect(told == ["key \(key.publicID)"])
                }
            }
            #expect(silent == ["last_used_at"])
        }
    }

    @Test("A key that is rotated is told by both names that it was known by")
    func rotatedKey() async throws {
        try await PostgresServer.shared.with { lent in
            var sample = Sample()
            let owner = sample.account()
            let key = sample.key(of: owner.id)
            let texts = [
                APIKeyText.random(using: &sample.random), APIKeyText.random(using: &sample.random),
            ]
            let end = sample.now + .seconds(60)
            try await lent.store.insert(owner)
            try await lent.store.write { db throws(Problem) in try db.apiKeys.insert(key) }
            var told: [[String]] = []
            for text in texts {
                told.append(
                    try await Self.changes(lent.store) { db throws(Problem) in
                        try db.apiKeys.rotate(key.id, to: text, hash: [1], overlapEnd: end)
                    })
            }
            #expect(
                told == [
                    ["key \(key.publicID)"],
                    ["key \(texts[0].publicID)", "key \(key.publicID)"],
                ])
        }
    }

    @Test("A session is told when it is revoked, not when it is refreshed, used or cleaned up")
    func sessions() async throws {
        try await PostgresServer.shared.with { lent in
            let store = lent.store
            var sample = Sample()
            let owner = sample.account()
            var session = sample.session(of: owner.id)
            // By the server's own clock.
            let ended = sample.session(of: owner.id, lasts: .seconds(-400 * 86_400))
            let now = sample.now
            try await store.insert(owner)
            let begun = try await Self.changes(store) { [session] db throws(Problem) in
                try db.sessions.insert(session)
                try db.sessions.insert(ended)
            }
            #expect(begun == [])
            session.generation += 1
            session.lastUsedAt = now + .seconds(5)
            let silent = try await Self.changes(store) { [session] db throws(Problem) in
                try db.sessions.update(session)
                try db.sessions.markDelivered(session.id, generation: 2, at: now)
                try db.sessions.touch(session.id, at: now + .seconds(60))
                _ = try db.sessions.prune(endedBefore: now, atMost: 10)
            }
            #expect(silent == [])
            let told = try await Self.changes(store) { [session] db throws(Problem) in
                _ = try db.sessions.revoke(session.id, at: now)
            }
            #expect(told == ["session \(session.id)"])
        }
    }

    @Test("Accounts, subscriptions, plans and keys of the installation are told")
    func others() async throws {
        try await PostgresServer.shared.with { lent in
            let store = lent.store
            var sample = Sample()
            var owner = sample.account()
            var plan = sample.plan("free")
            let now = sample.now
            try await store.insert(owner)
            try await store.insert(plan)
            owner.role = .admin
            let account = try await Self.changes(store) { [owner] db throws(Problem) in
                _ = try db.accounts.update(owner)
                // The same again changes nothing.
                _ = try db.accounts.update(owner)
            }
            #expect(account == ["account \(owner.id)"])
            let subscribed = try await Self.changes(store) { [owner, plan] db throws(Problem) in
                _ = try db.subscribe(owner.id, to: plan, expiresAt: nil, at: now)
            }
            #expect(subscribed == ["subscription \(owner.id)"])
            plan.name = "Free of charge"
            let planned = try await Self.changes(store) { [plan] db throws(Problem) in
                try db.plans.update(plan)
            }
            #expect(planned == ["plan free"])
            let keyed = try await Self.changes(store) { db throws(Problem) in
                try db.installation.set("checked_at", "1")
                try db.installation.set("signing_keys", "[]")
                try db.installation.set("signing_keys", "{}")
            }
            #expect(keyed == ["keys signing_keys", "keys signing_keys"])
            let deleted = try await Self.changes(store) { [owner] db throws(Problem) in
                _ = try db.accounts.delete(owner.id)
            }
            #expect(Set(deleted) == ["account_deleted \(owner.id)", "subscription \(owner.id)"])
        }
    }

    @Test("What is undone is not told")
    func undone() async throws {
        try await PostgresServer.shared.with { lent in
            var sample = Sample()
            let owner = sample.account()
            try await lent.store.insert(owner)
            let last = try await Self.last(lent.store)
            let problem = await lent.store.refusal { db throws(Problem) in
                try db.execute("UPDATE users SET is_active = 0")
                throw .notFound("thing")
            }
            #expect(problem?.code == .notFound)
            #expect(try await Self.last(lent.store) == last)
        }
    }

    @Test("Who writes by hand waits for the turn, so numbers are in the order of commits")
    func byHand() async throws {
        try await PostgresServer.shared.with { lent in
            let store = lent.store
            var sample = Sample()
            let accounts = [sample.account(), sample.account()]
            for account in accounts { try await store.insert(account) }
            let last = try await Self.last(store)
            let hand = try PostgresConnection(PostgresOptions(url: lent.url))
            try hand.run("BEGIN")
            // Another schema's tables would be found first.
            try hand.run("SET LOCAL search_path = pg_catalog, public")
            try hand.run("UPDATE users SET is_active = 0 WHERE id = \(accounts[0].id)")
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    try await store.execute(
                        "UPDATE users SET is_active = 0 WHERE id = \(accounts[1].id)")
                }
                let waiting: SQL = """
                    SELECT count(*) FROM pg_locks
                    WHERE locktype = 'advisory' AND NOT granted
                        AND database = (SELECT oid FROM pg_database
                            WHERE datname = current_database())
                    """
                while try await store.count(waiting) == 0 {}
                #expect(try await Self.last(store) == last)
                try hand.run("COMMIT")
                try await group.waitForAll()
            }
            let told = try await store.read { db throws(Problem) in
                try db.changes.list(after: last, atMost: 9).map(\.subject)
            }
            #expect(told == accounts.map { "\($0.id)" })
        }
    }
}
