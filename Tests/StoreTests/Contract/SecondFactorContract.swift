import Domain
import Store
import Testing

@Suite("Second factors")
struct SecondFactorContract {
    private static func factor(
        of account: Account, _ secret: [UInt8] = [1], at now: Timestamp
    ) -> SecondFactor {
        SecondFactor(userID: account.id, sealedSecret: secret, createdAt: now)
    }

    @Test("One that is not confirmed gives way to the next; a confirmed one stays")
    func begin() async throws {
        try await withStore { db in
            var sample = Sample()
            let account = sample.account()
            let now = sample.now
            try await db.insert(account)
            let (answers, kept) = try await db.write { db throws(Problem) in
                let factors = db.secondFactors
                let answers = [
                    try factors.begin(Self.factor(of: account, [1], at: now)),
                    try factors.begin(Self.factor(of: account, [2], at: now)),
                    try factors.confirm(account.id, step: 5, at: now),
                    try factors.confirm(account.id, step: 6, at: now),
                    try factors.begin(Self.factor(of: account, [3], at: now)),
                ]
                return (answers, try factors.find(account.id))
            }
            #expect(answers == [true, true, true, false, false])
            #expect(kept?.sealedSecret == [2])
            #expect(kept?.lastStep == 5)
            #expect(kept?.confirmedAt == now)
        }
    }

    @Test("A step is accepted once, and none before it; none before it is confirmed")
    func accept() async throws {
        try await withStore { db in
            var sample = Sample()
            let account = sample.account()
            let now = sample.now
            try await db.insert(account)
            let accepted = try await db.write { db throws(Problem) in
                let factors = db.secondFactors
                _ = try factors.begin(Self.factor(of: account, at: now))
                var accepted = [try factors.accept(9, of: account.id)]
                _ = try factors.confirm(account.id, step: 5, at: now)
                for step: Int64 in [5, 6, 6, 4, 8, 7, 9] {
                    accepted.append(try factors.accept(step, of: account.id))
                }
                return accepted
            }
            #expect(accepted == [false, false, true, false, false, true, false, true])
        }
    }

    @Test("Of 64 who show the same step at once, one is let in")
    func race() async throws {
        try await withStore { db in
            var sample = Sample()
            let account = sample.account()
            let now = sample.now
            try await db.insert(account)
            try await db.write { db throws(Problem) in
                _ = try db.secondFactors.begin(Self.factor(of: account, at: now))
                _ = try db.secondFactors.confirm(account.id, step: 1, at: now)
            }
            let count = try await withThrowingTaskGroup(of: Bool.self) { group in
                for _ in 0..<64 {
                    group.addTask {
                        try await db.write { db throws(Problem) in
                            try db.secondFactors.accept(2, of: account.id)
                        }
                    }
                }
                return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(count == 1)
        }
    }

    @Test("A recovery code is redeemed once, by its owner alone, and goes with the factor")
    func recovery() async throws {
        try await withStore { db in
            var sample = Sample()
            let (ann, bob) = (sample.account(), sample.account())
            let now = sample.now
            try await db.insert(ann)
            try await db.insert(bob)
            let redeemed = try await db.write { db throws(Problem) in
                let factors = db.secondFactors
                _ = try factors.begin(Self.factor(of: ann, at: now))
                try factors.setRecoveryCodes([[9]], of: ann.id)
                try factors.setRecoveryCodes([[1], [2], [3]], of: ann.id)
                return [
                    try factors.redeem([9], of: ann.id), try factors.redeem([1], of: bob.id),
                    try factors.redeem([1], of: ann.id), try factors.redeem([1], of: ann.id),
                ]
            }
            #expect(redeemed == [false, false, true, false])
            let (before, removed, after) = try await db.write { db throws(Problem) in
                let factors = db.secondFactors
                let before = try factors.countRecoveryCodes(of: ann.id)
                let removed = [try factors.remove(ann.id), try factors.remove(ann.id)]
                return (before, removed, try factors.countRecoveryCodes(of: ann.id))
            }
            #expect(before == 2)
            #expect(removed == [true, false])
            #expect(after == 0)
        }
    }
}
