import Domain
import Store
import Support

/// Things to put into a store, from a seed. Each is a millisecond newer than the one before, so the
/// order of the ids is the order of making.
struct Sample {
    var random: SplitMix64
    private(set) var now = Timestamp(milliseconds: 1_795_435_200_000)

    init(seed: UInt64 = 1) { random = SplitMix64(seed: seed) }

    mutating func id<Noun>() -> ID<Noun> {
        now = now + .milliseconds(1)
        return ID(at: now, using: &random)
    }

    mutating func bytes(_ count: Int = 32) -> [UInt8] {
        (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &random) }
    }

    mutating func account(
        _ email: String? = nil, name: String? = nil, role: Account.Role = .user
    ) -> Account {
        let id: UserID = id()
        return Account(
            id: id, email: EmailAddress(canonical: email ?? "\(id)@example.com"), name: name,
            role: role, createdAt: now, updatedAt: now)
    }

    mutating func plan(_ slug: String, isDefault: Bool = false) -> Plan {
        Plan(
            id: id(), slug: slug, name: slug, description: nil, limits: .none,
            isSelfService: false, isDefault: isDefault, createdAt: now, updatedAt: now)
    }

    mutating func subscription(
        of user: UserID, to plan: Plan, status: Subscription.Status = .active,
        expiresAt: Timestamp? = nil
    ) -> Subscription {
        Subscription(
            id: id(), userID: user, planID: plan.id, planSlug: plan.slug, status: status,
            startedAt: now, expiresAt: expiresAt, canceledAt: nil)
    }

    mutating func session(
        of user: UserID, lasts: Duration = .seconds(3600), address: String? = nil
    ) -> Session {
        Session(
            id: id(), userID: user, createdAt: now, lastUsedAt: now, expiresAt: now + lasts,
            userAgent: nil, address: address)
    }

    mutating func token(of session: Session, generation: Int64 = 1) -> RefreshToken {
        RefreshToken(
            hash: bytes(), sessionID: session.id, userID: session.userID, generation: generation,
            issuedAt: now, expiresAt: session.expiresAt)
    }

    /// Of this month.
    static func quotaUse(
        _ metric: String = "requests", window: Window = .month, index: Int64 = 682
    ) -> QuotaUse {
        QuotaUse(
            metric: metric, window: window, index: index, used: 9, bound: 10, allowsOverage: false)
    }

    mutating func key(of user: UserID, expiresAt: Timestamp? = nil) -> APIKey {
        let text = APIKeyText.random(using: &random)
        return APIKey(
            id: id(), userID: user, name: "key", publicID: text.publicID, lastFour: text.lastFour,
            secretHash: bytes(), scopes: [.gate], expiresAt: expiresAt, createdAt: now)
    }

    mutating func item(of user: UserID, _ name: String = "item") -> Item {
        Item(
            id: id(), userID: user, name: name, data: .object([]), createdAt: now, updatedAt: now)
    }

    func delta(
        of user: UserID, _ value: Int64, _ metric: String = "requests", key: APIKeyID? = nil,
        at moment: Timestamp? = nil
    ) -> UsageDelta {
        UsageDelta(
            key: UsageDelta.Key(
                user: user, key: key, metric: metric, hour: Window.hour.index(of: moment ?? now)),
            value: value)
    }

    mutating func reservation(of user: UserID) -> Reservation {
        Reservation(
            id: id(), userID: user, keyID: nil, metric: "tokens", amount: 1, createdAt: now,
            expiresAt: now + .seconds(60))
    }

    mutating func answer(to owner: String) -> IdempotencyKeys.Entry {
        IdempotencyKeys.Entry(
            owner: owner, keyHash: bytes(), fingerprint: bytes(), status: 200, headers: .null,
            sealedBody: bytes(), createdAt: now)
    }
}

extension Database {
    /// Keeps accounts that a test only needs to be there.
    func insert(_ accounts: Account...) async throws {
        for account in accounts {
            _ = try await write { db throws(Problem) in
                try db.accounts.insert(account, passwordHash: nil)
            }
        }
    }

    func insert(_ plans: Plan...) async throws {
        for plan in plans {
            _ = try await write { db throws(Problem) in try db.plans.insert(plan) }
        }
    }

    func insert(_ subscription: Subscription) async throws {
        try await write { db throws(Problem) in try db.subscriptions.insert(subscription) }
    }
}
