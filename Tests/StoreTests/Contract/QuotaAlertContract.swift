import Domain
import Store
import Testing

@Suite("What customers were told of their quotas")
struct QuotaAlertContract {
    private static func tell(
        _ use: QuotaUse, _ threshold: QuotaUse.Threshold, _ user: UserID, at now: Timestamp,
        in db: any Database
    ) async throws -> Bool {
        try await db.write { db throws(Problem) in
            try db.quotaAlerts.insert(use, of: user, threshold: threshold, at: now)
        }
    }

    @Test("Each metric, window and threshold is told once, and less is not told after more")
    func once() async throws {
        try await withStore { db in
            var sample = Sample()
            let (user, other) = (sample.account(), sample.account())
            try await db.insert(user)
            try await db.insert(other)
            let now = sample.now
            func tell(
                _ use: QuotaUse, _ threshold: QuotaUse.Threshold, _ account: Account? = nil
            ) async throws -> Bool {
                try await Self.tell(use, threshold, (account ?? user).id, at: now, in: db)
            }
            let month = Sample.quotaUse()
            #expect(try await tell(month, .near))
            #expect(try await !tell(month, .near))
            #expect(try await tell(month, .reached))
            #expect(try await !tell(month, .reached))
            #expect(try await !tell(month, .near))
            #expect(try await tell(month, .near, other))
            #expect(try await tell(Sample.quotaUse(index: 683), .near))
            #expect(try await tell(Sample.quotaUse("tokens"), .reached))
            #expect(try await !tell(Sample.quotaUse("tokens"), .near))
            #expect(try await tell(Sample.quotaUse(window: .day, index: 20_000), .near))
        }
    }

    @Test("An account that is gone is told nothing, and that is no error")
    func gone() async throws {
        try await withStore { db in
            var sample = Sample()
            let isTold = try await Self.tell(
                Sample.quotaUse(), .near, sample.id(), at: sample.now, in: db)
            #expect(!isTold)
        }
    }

    @Test("What is old enough is removed, so many rows at a time")
    func prune() async throws {
        try await withStore { db in
            var sample = Sample()
            let user = sample.account()
            try await db.insert(user)
            let now = sample.now
            for (index, age) in [100, 90, 10].enumerated() {
                let use = Sample.quotaUse("metric\(index)")
                _ = try await Self.tell(
                    use, .near, user.id, at: now - .seconds(age), in: db)
            }
            func prune() async throws -> Int {
                try await db.write { db throws(Problem) in
                    try db.quotaAlerts.prune(createdBefore: now - .seconds(50), atMost: 1)
                }
            }
            #expect(try await prune() == 1)
            #expect(try await prune() == 1)
            #expect(try await prune() == 0)
            #expect(try await db.count("SELECT count(*) FROM quota_alerts") == 1)
        }
    }
}
