import Domain
import Store
import Testing

@Suite("Changes of subscriptions")
struct SubscriptionChangeContract {
    private static func history(
        of user: UserID, in db: any Database
    ) async throws -> [Subscription] {
        try await db.read { db throws(Problem) in
            try db.subscriptions.list(Subscriptions.Filter(user: user), Page(limit: 9))
        }
    }

    @Test("Subscribing cancels the active one in the same transaction")
    func subscribe() async throws {
        try await withStore { db in
            var sample = Sample()
            let user = sample.account()
            let (free, pro) = (sample.plan("free"), sample.plan("pro"))
            let former = sample.subscription(of: user.id, to: free)
            let now = sample.now + .seconds(5)
            try await db.insert(user)
            try await db.insert(free, pro)
            try await db.insert(former)
            let new = try await db.write { db throws(Problem) in
                try db.subscribe(user.id, to: pro, expiresAt: now + .seconds(60), at: now)
            }
            var canceled = former
            canceled.status = .canceled
            canceled.canceledAt = now
            #expect(try await Self.history(of: user.id, in: db) == [new, canceled])
            #expect(new.status == .active && new.planSlug == "pro" && new.startedAt == now)
            #expect(new.expiresAt == now + .seconds(60))
        }
    }

    @Test("At its end a subscription turns expired, once, and the default plan takes its place")
    func expire() async throws {
        try await withStore { db in
            var sample = Sample()
            let user = sample.account()
            let (free, pro) = (sample.plan("free", isDefault: true), sample.plan("pro"))
            let end = sample.now + .seconds(60)
            let subscription = sample.subscription(of: user.id, to: pro, expiresAt: end)
            try await db.insert(user)
            try await db.insert(free, pro)
            try await db.insert(subscription)
            func expire(at moment: Timestamp) async throws {
                try await db.write { db throws(Problem) in
                    try db.expireSubscription(of: user.id, at: moment)
                }
            }
            try await expire(at: end - .milliseconds(1))
            #expect(try await Self.history(of: user.id, in: db) == [subscription])
            for _ in 0..<2 { try await expire(at: end) }
            let history = try await Self.history(of: user.id, in: db)
            #expect(history.map(\.status) == [.active, .expired])
            #expect(history.map(\.planSlug) == ["free", "pro"])
            #expect(history.first?.expiresAt == nil)
            let audit = try await db.read { db throws(Problem) in
                try db.audit.list(AuditLog.Filter(), before: nil, limit: 9)
            }
            #expect(audit.map(\.action) == ["subscription.expired"])
            #expect(audit.first?.actor == "system" && audit.first?.target == "user:\(user.id)")
            #expect(audit.first?.meta["plan"] == .string("pro"))
        }
    }

    @Test("Without a default plan, or with one that is archived, a customer is left with none")
    func withoutDefault() async throws {
        try await withStore { db in
            var sample = Sample()
            let user = sample.account()
            var archived = sample.plan("old", isDefault: true)
            archived.archivedAt = sample.now
            let pro = sample.plan("pro")
            let end = sample.now + .seconds(60)
            try await db.insert(user)
            try await db.insert(archived, pro)
            try await db.insert(sample.subscription(of: user.id, to: pro, expiresAt: end))
            try await db.write { db throws(Problem) in
                try db.expireSubscription(of: user.id, at: end)
            }
            #expect(try await Self.history(of: user.id, in: db).map(\.status) == [.expired])
        }
    }
}
