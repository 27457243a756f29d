import Domain
import Store
import Testing

@Suite("Sessions")
struct SessionContract {
    /// A user who is in the store, and a sample to go on with.
    private static func user(in db: any Database) async throws -> (Account, Sample) {
        var sample = Sample()
        let account = sample.account()
        try await db.insert(account)
        return (account, sample)
    }

    private static func insert(_ sessions: Session..., into db: any Database) async throws {
        for session in sessions {
            try await db.write { db throws(Problem) in try db.sessions.insert(session) }
        }
    }

    private static func find(_ session: Session, in db: any Database) async throws -> Session? {
        try await db.read { db throws(Problem) in try db.sessions.find(session.id) }
    }

    @Test("Where an account signed in from is told from the newest on, since a moment")
    func places() async throws {
        try await withStore { db in
            var sample = Sample()
            let (user, other) = (sample.account(), sample.account())
            for account in [user, other] { try await db.insert(account) }
            let sessions = [
                sample.session(of: user.id, address: "192.0.2.1"),
                sample.session(of: other.id, address: "192.0.2.9"),
                sample.session(of: user.id, address: "2001:db8::1"),
                sample.session(of: user.id),
            ]
            for session in sessions {
                try await db.write { db throws(Problem) in try db.sessions.insert(session) }
            }
            func networks(since moment: Timestamp, atMost most: Int = 9) async throws -> [String?] {
                try await db.read { db throws(Problem) in
                    try db.sessions.places(of: user.id, since: moment, atMost: most)
                }.map(\.network)
            }
            #expect(try await networks(since: .epoch) == [nil, "2001:db8::/64", "192.0.2.1"])
            #expect(try await networks(since: .epoch, atMost: 1) == [nil])
            let second = sessions[2].createdAt
            #expect(try await networks(since: second) == [nil, "2001:db8::/64"])
        }
    }

    @Test("Every field comes back as it was written")
    func roundTrip() async throws {
        try await withStore { db in
            let (account, start) = try await Self.user(in: db)
            var sample = start
            let bare = sample.session(of: account.id)
            let full = Session(
                id: sample.id(), userID: account.id, createdAt: sample.now,
                lastUsedAt: sample.now + .seconds(1), expiresAt: sample.now + .seconds(2),
                userAgent: "Mözilla/5.0", address: "2001:db8::1", generation: .max,
                deliveredAt: sample.now + .seconds(3), revokedAt: sample.now + .seconds(4))
            try await Self.insert(bare, full, into: db)
            #expect(try await Self.find(bare, in: db) == bare)
            #expect(try await Self.find(full, in: db) == full)
            #expect(try await Self.find(sample.session(of: account.id), in: db) == nil)
        }
    }

    @Test("A refresh token is found by its hash, with its session")
    func tokens() async throws {
        try await withStore { db in
            let (account, start) = try await Self.user(in: db)
            var sample = start
            let session = sample.session(of: account.id, address: "192.0.2.1")
            var orphaned = sample.token(of: session, generation: 7)
            orphaned.isOrphaned = true
            let tokens = [sample.token(of: session), orphaned]
            try await Self.insert(session, into: db)
            for token in tokens {
                let found = try await db.write { db throws(Problem) in
                    try db.sessions.insert(token, userAgent: "agent", address: "192.0.2.2")
                    return try db.sessions.find(tokenHash: token.hash)
                }
                #expect(found?.token == token)
                #expect(found?.session == session)
            }
            let stranger = sample.bytes()
            let none = try await db.read { db throws(Problem) in
                try db.sessions.find(tokenHash: stranger)?.token
            }
            #expect(none == nil)
            let twice = await db.refusal { db throws(Problem) in
                try db.sessions.insert(tokens[0], userAgent: nil, address: nil)
            }
            #expect(twice?.code == .internal)
        }
    }

    @Test("An update writes what rotation changes, and of that session alone")
    func update() async throws {
        try await withStore { db in
            let (account, start) = try await Self.user(in: db)
            var sample = start
            var session = sample.session(of: account.id)
            let other = sample.session(of: account.id)
            try await Self.insert(session, other, into: db)
            session.generation = 9
            session.deliveredAt = sample.now + .seconds(1)
            session.lastUsedAt = sample.now + .seconds(2)
            session.revokedAt = sample.now + .seconds(3)
            let changed = session
            try await db.write { db throws(Problem) in try db.sessions.update(changed) }
            #expect(try await Self.find(session, in: db) == changed)
            #expect(try await Self.find(other, in: db) == other)
        }
    }

    @Test("Orphaning takes the tokens of one generation of one session, issued before a moment")
    func orphan() async throws {
        try await withStore { db in
            let (account, start) = try await Self.user(in: db)
            var sample = start
            let session = sample.session(of: account.id)
            let other = sample.session(of: account.id)
            try await Self.insert(session, other, into: db)
            // Issued a second apart, the last at the moment itself.
            let moment = sample.now + .seconds(9)
            func token(
                _ owner: Session, _ generation: Int64, _ age: Duration
            ) -> RefreshToken {
                RefreshToken(
                    hash: sample.bytes(), sessionID: owner.id, userID: account.id,
                    generation: generation, issuedAt: moment - age, expiresAt: owner.expiresAt)
            }
            let tokens = [
                token(session, 2, .seconds(1)), token(session, 2, .milliseconds(1)),
                token(session, 2, .zero), token(session, 1, .seconds(1)),
                token(session, 3, .seconds(1)), token(other, 2, .seconds(1)),
            ]
            let orphaned = try await db.write { db throws(Problem) in
                for token in tokens {
                    try db.sessions.insert(token, userAgent: nil, address: nil)
                }
                try db.sessions.orphan(session.id, generation: 2, issuedBefore: moment)
                var orphaned: [Bool?] = []
                for token in tokens {
                    let found = try db.sessions.find(tokenHash: token.hash)
                    orphaned.append(found?.token.isOrphaned)
                }
                return orphaned
            }
            #expect(orphaned == [true, true, false, false, false, false])
        }
    }

    @Test("The first delivery of the newest generation is kept, and no other")
    func markDelivered() async throws {
        try await withStore { db in
            let (account, start) = try await Self.user(in: db)
            var sample = start
            var session = sample.session(of: account.id)
            session.generation = 2
            let kept = session
            let first = sample.now + .seconds(1)
            try await Self.insert(kept, into: db)
            try await db.write { db throws(Problem) in
                try db.sessions.markDelivered(kept.id, generation: 1, at: first)
                try db.sessions.markDelivered(kept.id, generation: 3, at: first)
            }
            #expect(try await Self.find(kept, in: db)?.deliveredAt == nil)
            try await db.write { db throws(Problem) in
                try db.sessions.markDelivered(kept.id, generation: 2, at: first)
                try db.sessions.markDelivered(kept.id, generation: 2, at: first + .seconds(5))
            }
            #expect(try await Self.find(kept, in: db)?.deliveredAt == first)
        }
    }

    @Test("Touching only ever moves the last use forward")
    func touch() async throws {
        try await withStore { db in
            let (account, start) = try await Self.user(in: db)
            var sample = start
            let session = sample.session(of: account.id)
            let other = sample.session(of: account.id)
            let later = sample.now + .seconds(60)
            try await Self.insert(session, other, into: db)
            try await db.write { db throws(Problem) in
                try db.sessions.touch(session.id, at: later)
                try db.sessions.touch(session.id, at: later - .seconds(30))
            }
            #expect(try await Self.find(session, in: db)?.lastUsedAt == later)
            #expect(try await Self.find(other, in: db) == other)
        }
    }

    @Test("A session is revoked once, and keeps that moment")
    func revoke() async throws {
        try await withStore { db in
            let (account, start) = try await Self.user(in: db)
            var sample = start
            let session = sample.session(of: account.id)
            let stranger = sample.session(of: account.id)
            let moment = sample.now
            try await Self.insert(session, into: db)
            let answers = try await db.write { db throws(Problem) in
                [
                    try db.sessions.revoke(session.id, at: moment),
                    try db.sessions.revoke(session.id, at: moment + .seconds(1)),
                    try db.sessions.revoke(stranger.id, at: moment),
                ]
            }
            #expect(answers == [true, false, false])
            #expect(try await Self.find(session, in: db)?.revokedAt == moment)
        }
    }

    @Test("Revoking all takes the user's live ones but the one that is kept, and names them")
    func revokeAll() async throws {
        try await withStore { db in
            let (account, start) = try await Self.user(in: db)
            var sample = start
            let stranger = sample.account()
            try await db.insert(stranger)
            let live = [sample.session(of: account.id), sample.session(of: account.id)]
            let kept = sample.session(of: account.id)
            var revoked = sample.session(of: account.id)
            revoked.revokedAt = sample.now - .seconds(9)
            let foreign = sample.session(of: stranger.id)
            try await Self.insert(live[0], live[1], kept, revoked, foreign, into: db)
            let now = sample.now
            let ended = try await db.write { db throws(Problem) in
                try db.sessions.revokeAll(of: account.id, except: kept.id, at: now)
            }
            #expect(Set(ended) == Set(live.map(\.id)))
            #expect(try await Self.find(live[0], in: db)?.revokedAt == now)
            for untouched in [kept, revoked, foreign] {
                #expect(try await Self.find(untouched, in: db) == untouched)
            }
            let rest = try await db.write { db throws(Problem) in
                try db.sessions.revokeAll(of: account.id, at: now)
            }
            #expect(rest == [kept.id])
        }
    }

    @Test("The live ones of a user are listed, the newest first")
    func live() async throws {
        try await withStore { db in
            let (account, start) = try await Self.user(in: db)
            var sample = start
            let stranger = sample.account()
            try await db.insert(stranger)
            let first = sample.session(of: account.id)
            let second = sample.session(of: account.id)
            let ended = sample.session(of: account.id, lasts: .seconds(60))
            var revoked = sample.session(of: account.id)
            revoked.revokedAt = sample.now
            try await Self.insert(
                first, second, ended, revoked, sample.session(of: stranger.id), into: db)
            func live(at moment: Timestamp) async throws -> [Session] {
                try await db.read { db throws(Problem) in
                    try db.sessions.live(of: account.id, at: moment)
                }
            }
            #expect(
                try await live(at: ended.expiresAt - .milliseconds(1)) == [ended, second, first])
            #expect(try await live(at: ended.expiresAt) == [second, first])
        }
    }

    @Test("An address is known to who signed in from it, even if that session was revoked")
    func isKnown() async throws {
        try await withStore { db in
            let (account, start) = try await Self.user(in: db)
            var sample = start
            let stranger = sample.account()
            var session = sample.session(of: account.id, address: "192.0.2.1")
            session.revokedAt = sample.now
            let bare = sample.session(of: account.id)
            try await db.insert(stranger)
            try await Self.insert(session, bare, into: db)
            let known = try await db.read { db throws(Problem) in
                [
                    try db.sessions.isKnown("192.0.2.1", to: account.id),
                    try db.sessions.isKnown("192.0.2.2", to: account.id),
                    try db.sessions.isKnown("192.0.2.1", to: stranger.id),
                ]
            }
            #expect(known == [true, false, false])
        }
    }
}
