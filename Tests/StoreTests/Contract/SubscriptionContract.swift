import Domain
import Store
import Testing

@Suite("Subscriptions")
struct SubscriptionContract {
    private struct World {
        var sample = Sample()
        let user: Account
        let other: Account
        let free: Plan
        let pro: Plan

        init(in db: any Database) async throws {
            user = sample.account()
            other = sample.account()
            free = sample.plan("free", isDefault: true)
            pro = sample.plan("pro")
            try await db.insert(user, other)
            try await db.insert(free, pro)
        }
    }

    @Test("Every field comes back as it was written", arguments: Subscription.Status.allCases)
    func roundTrip(status: Subscription.Status) async throws {
        try await withStore { db in
            var world = try await World(in: db)
            let bare = world.sample.subscription(of: world.user.id, to: world.pro, status: status)
            let full = Subscription(
                id: world.sample.id(), userID: world.other.id, planID: world.free.id,
                planSlug: "free", status: status, startedAt: world.sample.now,
                expiresAt: world.sample.now + .seconds(1),
                canceledAt: world.sample.now + .seconds(2))
            for subscription in [bare, full] {
                try await db.insert(subscription)
                let found = try await db.read { db throws(Problem) in
                    try db.subscriptions.find(subscription.id)
                }
                #expect(found == subscription)
            }
        }
    }

    @Test("A user has one active subscription: the store refuses a second")
    func oneActive() async throws {
        try await withStore { db in
            var world = try await World(in: db)
            let first = world.sample.subscription(of: world.user.id, to: world.free)
            let second = world.sample.subscription(of: world.user.id, to: world.pro)
            try await db.insert(first)
            try await db.insert(world.sample.subscription(of: world.other.id, to: world.free))
            try await db.insert(
                world.sample.subscription(of: world.user.id, to: world.pro, status: .expired))
            let problem = await db.refusal { db throws(Problem) in
                try db.subscriptions.insert(second)
            }
            #expect(problem?.code == .internal)
            let user = world.user.id
            let active = try await db.read { db throws(Problem) in
                try db.subscriptions.active(of: user)
            }
            #expect(active == first)
        }
    }

    @Test("An update writes plan, status and ends, and of that subscription alone")
    func update() async throws {
        try await withStore { db in
            var world = try await World(in: db)
            var subscription = world.sample.subscription(of: world.user.id, to: world.free)
            let other = world.sample.subscription(of: world.other.id, to: world.free)
            try await db.insert(subscription)
            try await db.insert(other)
            subscription.planID = world.pro.id
            subscription.planSlug = "pro"
            subscription.status = .canceled
            subscription.expiresAt = world.sample.now + .seconds(1)
            subscription.canceledAt = world.sample.now + .seconds(2)
            let changed = subscription
            try await db.write { db throws(Problem) in try db.subscriptions.update(changed) }
            let found = try await db.read { db throws(Problem) in
                [try db.subscriptions.find(changed.id), try db.subscriptions.find(other.id)]
            }
            #expect(found == [changed, other])
        }
    }

    @Test("The current one is the active one, or else the one that is newest")
    func current() async throws {
        try await withStore { db in
            var world = try await World(in: db)
            let user = world.user.id
            func current() async throws -> Subscription? {
                try await db.read { db throws(Problem) in try db.subscriptions.current(of: user) }
            }
            #expect(try await current() == nil)
            let active = world.sample.subscription(of: user, to: world.free)
            let old = world.sample.subscription(of: user, to: world.pro, status: .expired)
            let last = world.sample.subscription(of: user, to: world.pro, status: .canceled)
            try await db.insert(last)
            try await db.insert(old)
            #expect(try await current() == last)
            try await db.insert(active)
            #expect(try await current() == active)
        }
    }

    @Test("Due are the active ones whose end has come, the earliest first, no more than asked")
    func due() async throws {
        try await withStore { db in
            var world = try await World(in: db)
            let now = world.sample.now + .seconds(100)
            var users: [UserID] = []
            for seconds in [Int64(-2), -3, 0, -1, 1] {
                let account = world.sample.account()
                users.append(account.id)
                try await db.insert(account)
                try await db.insert(
                    world.sample.subscription(
                        of: account.id, to: world.free, expiresAt: now + .seconds(seconds)))
            }
            try await db.insert(world.sample.subscription(of: world.user.id, to: world.free))
            try await db.insert(
                world.sample.subscription(
                    of: world.other.id, to: world.free, status: .expired, expiresAt: now))
            func due(atMost most: Int) async throws -> [UserID] {
                try await db.read { db throws(Problem) in
                    try db.subscriptions.due(at: now, atMost: most)
                }
            }
            #expect(try await due(atMost: 9) == [users[1], users[0], users[3], users[2]])
            #expect(try await due(atMost: 2) == [users[1], users[0]])
        }
    }

    @Test("Each filter keeps what fits, and together they keep what fits all")
    func filters() async throws {
        try await withStore { db in
            var world = try await World(in: db)
            let (user, other) = (world.user.id, world.other.id)
            let made = [
                world.sample.subscription(of: user, to: world.free, status: .canceled),
                world.sample.subscription(of: user, to: world.pro),
                world.sample.subscription(of: other, to: world.pro),
                world.sample.subscription(of: other, to: world.free, status: .expired),
            ]
            for subscription in made { try await db.insert(subscription) }
            func list(_ filter: Subscriptions.Filter) async throws -> [Int] {
                let found = try await db.read { db throws(Problem) in
                    try db.subscriptions.list(filter, Page(limit: 9))
                }
                return found.compactMap { made.firstIndex(of: $0) }
            }
            #expect(try await list(.init()) == [3, 2, 1, 0])
            #expect(try await list(.init(user: user)) == [1, 0])
            #expect(try await list(.init(plan: "pro")) == [2, 1])
            #expect(try await list(.init(status: .active)) == [2, 1])
            #expect(try await list(.init(user: other, plan: "free")) == [3])
            #expect(try await list(.init(user: user, plan: "free", status: .active)) == [])
            #expect(try await list(.init(plan: "none")) == [])
        }
    }

    @Test("The list runs from the newest, and inserts move no row from one page to another")
    func paging() async throws {
        try await withStore { db in
            var world = try await World(in: db)
            let user = world.user.id
            var made: [Subscription] = []
            for _ in 0..<10 {
                made.append(
                    world.sample.subscription(of: user, to: world.pro, status: .canceled))
            }
            for subscription in made.shuffled(using: &world.sample.random) {
                try await db.insert(subscription)
            }
            let found = try await readInPages(
                id: { $0.id.description },
                meanwhile: {
                    try await db.insert(
                        world.sample.subscription(of: user, to: world.free, status: .expired))
                },
                page: { page in
                    try await db.read { db throws(Problem) in
                        try db.subscriptions.list(.init(), page)
                    }
                })
            #expect(found == made.reversed())
        }
    }
}
