import Domain
import Support
import Testing

@Suite("Session")
struct SessionTests {
    private static let start = Timestamp(milliseconds: 1_800_000_000_000)
    private static let grace: Duration = .seconds(10)
    private let ids: (session: SessionID, user: UserID)

    init() {
        var random = SplitMix64(seed: 9)
        ids = (ID(at: Self.start, using: &random), ID(at: Self.start, using: &random))
    }

    private func session(generation: Int64, deliveredAt: Timestamp? = nil) -> Session {
        Session(
            id: ids.session, userID: ids.user, createdAt: Self.start, lastUsedAt: Self.start,
            expiresAt: Self.start + .seconds(90 * 86_400), userAgent: nil, address: nil,
            generation: generation, deliveredAt: deliveredAt)
    }

    private func token(
        _ generation: Int64, isOrphaned: Bool = false, lasts: Duration = .seconds(30 * 86_400)
    ) -> RefreshToken {
        RefreshToken(
            hash: [1], sessionID: ids.session, userID: ids.user, generation: generation,
            issuedAt: Self.start, expiresAt: Self.start + lasts, isOrphaned: isOrphaned)
    }

    /// A token's generation, whether it is orphaned, when the newest (5) was delivered and how long
    /// after the start the token is presented, both in seconds.
    private struct Case: Sendable, CustomTestStringConvertible {
        let generation: Int64
        var isOrphaned = false
        var delivered: Int64?
        var presented: Int64 = 3600
        let expected: Session.Rotation

        var testDescription: String {
            "\(generation), orphaned \(isOrphaned), delivered \(delivered ?? -1), at \(presented)"
        }
    }

    private static func reissue(at seconds: Int64) -> Session.Rotation {
        .reissue(orphaningIssuedBefore: start + .seconds(seconds - 10))
    }

    private static let table: [Case] = [
        // Rule 1: the newest starts the next one, delivered or not.
        Case(generation: 5, expected: .advance),
        Case(generation: 5, delivered: 0, expected: .advance),
        // Rule 2: the one before, while the newest is undelivered, even an hour later …
        Case(generation: 4, expected: reissue(at: 3600)),
        Case(generation: 4, presented: 0, expected: reissue(at: 0)),
        // … and for 10 s after its delivery.
        Case(generation: 4, delivered: 100, presented: 100, expected: reissue(at: 100)),
        Case(generation: 4, delivered: 100, presented: 109, expected: reissue(at: 109)),
        Case(generation: 4, delivered: 100, presented: 111, expected: .reuse),
        Case(generation: 4, delivered: 100, expected: .reuse),
        // Rule 3: orphaned or older is reuse.
        Case(generation: 5, isOrphaned: true, expected: .reuse),
        Case(generation: 4, isOrphaned: true, expected: .reuse),
        Case(generation: 3, expected: .reuse),
        Case(generation: 3, delivered: 3600, expected: .reuse),
        Case(generation: 1, expected: .reuse),
    ]

    @Test("The contract's rules 1 to 3 hold", arguments: table)
    private func rules(row: Case) {
        let session = session(
            generation: 5, deliveredAt: row.delivered.map { Self.start + .seconds($0) })
        let token = token(row.generation, isOrphaned: row.isOrphaned)
        let now = Self.start + .seconds(row.presented)
        #expect(session.rotation(presenting: token, at: now, grace: Self.grace) == row.expected)
    }

    @Test("The grace after a delivery ends to the millisecond")
    func graceEnds() {
        let session = session(generation: 2, deliveredAt: Self.start)
        let last = Self.start + Self.grace - .milliseconds(1)
        #expect(
            session.rotation(presenting: token(1), at: last, grace: Self.grace)
                == .reissue(orphaningIssuedBefore: last - Self.grace))
        let after = Self.start + Self.grace + .milliseconds(1)
        #expect(session.rotation(presenting: token(1), at: after, grace: Self.grace) == .reuse)
    }

    @Test("A session that was revoked or has run out has ended, whatever is presented")
    func ended() {
        var revoked = session(generation: 5)
        revoked.revokedAt = Self.start
        for generation in Int64(1)...5 {
            let token = token(generation)
            #expect(
                revoked.rotation(presenting: token, at: Self.start, grace: Self.grace) == .ended)
            let session = session(generation: 5)
            #expect(
                session.rotation(presenting: token, at: session.expiresAt, grace: Self.grace)
                    == .ended)
        }
    }

    @Test("A token that ran out has ended, and is no reuse")
    func tokenEnded() {
        let session = session(generation: 2)
        for generation in Int64(1)...2 {
            let token = token(generation, lasts: .seconds(60))
            let rotation = session.rotation(
                presenting: token, at: token.expiresAt, grace: Self.grace)
            #expect(rotation == .ended)
        }
    }

    @Test("A random walk agrees with the rule in words", arguments: [UInt64](1...40))
    func walk(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        var session = session(generation: 1)
        var tokens = [token(1)]
        var now = Self.start
        for step in 0..<200 {
            now = now + .milliseconds(random.pick([0, 1, 500, 4000, 9999, 10_001, 60_000]))
            if random.chance(20), session.deliveredAt == nil {
                session.deliveredAt = now  // an access token of the newest generation was used
                continue
            }
            let index = tokens.count - 1 - Int(random.int(0...min(4, Int64(tokens.count - 1))))
            let isNewest = tokens[index].generation == session.generation
            let isBefore = tokens[index].generation == session.generation - 1
            let inGrace = session.deliveredAt.map { now - $0 < Self.grace } ?? true
            let rotation = session.rotation(
                presenting: tokens[index], at: now, grace: Self.grace)
            let comment: Comment = "seed \(seed), step \(step)"
            switch rotation {
            case .advance:
                try #require(isNewest && !tokens[index].isOrphaned, comment)
                session.generation += 1
                session.deliveredAt = nil
                tokens.append(issued(session.generation, at: now))
            case .reissue(let moment):
                try #require(isBefore && inGrace && !tokens[index].isOrphaned, comment)
                try #require(moment == now - Self.grace, comment)
                for place in tokens.indices
                where tokens[place].generation == session.generation
                    && tokens[place].issuedAt < moment
                {
                    tokens[place].isOrphaned = true
                }
                tokens.append(issued(session.generation, at: now))
            case .reuse:
                let isAllowed = isNewest || (isBefore && inGrace)
                try #require(tokens[index].isOrphaned || !isAllowed, comment)
            case .ended: Issue.record(comment)
            }
        }
        #expect(tokens.count > 10, "seed \(seed): the walk went somewhere")
    }

    private func issued(_ generation: Int64, at now: Timestamp) -> RefreshToken {
        RefreshToken(
            hash: [1], sessionID: ids.session, userID: ids.user, generation: generation,
            issuedAt: now, expiresAt: now + .seconds(30 * 86_400))
    }
}
