import Domain
import Store
import Testing

@Suite("The list of accounts")
struct AccountListContract {
    private static func list(
        _ db: any Database, _ filter: Accounts.Filter
    ) async throws -> [Accounts.Listed] {
        try await db.read { db throws(Problem) in
            try db.accounts.list(filter, Page(limit: 50))
        }
    }

    @Test("It runs from the newest, and inserts move no row from one page to another")
    func paging() async throws {
        try await withStore { db in
            var sample = Sample()
            var made: [Account] = []
            for _ in 0..<10 { made.append(sample.account()) }
            for account in made.shuffled(using: &sample.random) { try await db.insert(account) }
            let found = try await readInPages(
                id: { $0.account.id.description },
                meanwhile: { try await db.insert(sample.account()) },
                page: { page in
                    try await db.read { db throws(Problem) in
                        try db.accounts.list(Accounts.Filter(), page)
                    }
                })
            #expect(found.map(\.account) == made.reversed())
        }
    }

    /// Names that a search without escaping, or with too much of it, would mix up.
    private static let people = [
        ("percent@example.com", "50% off"), ("number@example.com", "500 off"),
        ("under_score@example.com", "a_b"), ("understscore@example.com", "axb"),
        ("back@example.com", #"a\b"#), ("plain@example.com", "Zoë Ügur"),
    ]

    @Test(
        "A search finds a part of the address or the name, and takes no sign for a pattern",
        arguments: [
            ("50%", ["50% off"]), ("%", ["50% off"]), ("_", ["a_b"]), ("a_b", ["a_b"]),
            ("under_", ["a_b"]), (#"\"#, [#"a\b"#]), ("OFF", ["50% off", "500 off"]),
            ("NUMBER@", ["500 off"]), ("zoë", ["Zoë Ügur"]), ("gur", ["Zoë Ügur"]),
            ("nobody", []), ("' OR 1=1 --", []),
        ])
    func search(text: String, expected: [String]) async throws {
        try await withStore { db in
            var sample = Sample()
            for (email, name) in Self.people {
                try await db.insert(sample.account(email, name: name))
            }
            let found = try await Self.list(db, Accounts.Filter(search: text))
            #expect(Set(found.compactMap(\.account.name)) == Set(expected))
            #expect(found.count == expected.count)
        }
    }

    @Test(
        "A search finds a name whatever its letters, in capitals or not, composed or not",
        arguments: ["Ügur", "Ü", "ügur", "ZOË ü", "zoe\u{308} u\u{308}G"])
    func searchBeyondASCII(text: String) async throws {
        try await withStore { db in
            var sample = Sample()
            try await db.insert(sample.account(name: "Zoë Ügur"), sample.account(name: "Zoe"))
            let found = try await Self.list(db, Accounts.Filter(search: text))
            #expect(found.map(\.account.name) == ["Zoë Ügur"])
        }
    }

    @Test(
        "Each order runs over all accounts in pages, up and down",
        arguments: Accounts.Order.allCases)
    func orders(order: Accounts.Order) async throws {
        try await withStore { db in
            var sample = Sample()
            var made: [Account] = []
            // The order of the addresses is not that of the making.
            for number in 0..<10 {
                let account = sample.account("a\(number * 7 % 10)@example.com")
                made.append(account)
                try await db.insert(account)
            }
            let found = try await readInPages(
                id: { order.position(of: $0.account) }, meanwhile: {},
                page: { page in
                    try await db.read { db throws(Problem) in
                        try db.accounts.list(.init(), by: order, page)
                    }
                })
            let expected: [Account] =
                switch order {
                case .newest: made.reversed()
                case .oldest: made
                case .email: made.sorted { $0.email.description < $1.email.description }
                case .emailDown: made.sorted { $0.email.description > $1.email.description }
                }
            #expect(found.map(\.account) == expected)
        }
    }

    @Test("They are counted by role, and those who are not active apart")
    func counts() async throws {
        try await withStore { db in
            var sample = Sample()
            var banned = sample.account()
            banned.isActive = false
            try await db.insert(sample.account(role: .admin), sample.account(), banned)
            let counts = try await db.read { db throws(Problem) in try db.accounts.counts() }
            #expect(counts == .init(byRole: [.admin: 1, .user: 2], inactive: 1))
            #expect(counts.total == 3)
        }
    }

    @Test("Each filter keeps what fits, and together they keep what fits all")
    func filters() async throws {
        try await withStore { db in
            var sample = Sample()
            let plan = sample.plan("pro")
            let admin = sample.account(name: "one", role: .admin)
            let customer = sample.account(name: "two")
            let former = sample.account(name: "three")
            var banned = sample.account(name: "four")
            banned.isActive = false
            try await db.insert(plan)
            try await db.insert(admin, customer, former, banned)
            try await db.insert(sample.subscription(of: customer.id, to: plan))
            try await db.insert(sample.subscription(of: banned.id, to: plan))
            try await db.insert(
                sample.subscription(of: former.id, to: plan, status: .canceled))
            func names(_ filter: Accounts.Filter) async throws -> [String] {
                try await Self.list(db, filter).compactMap(\.account.name)
            }
            #expect(try await names(.init()) == ["four", "three", "two", "one"])
            #expect(try await names(.init(role: .admin)) == ["one"])
            #expect(try await names(.init(isActive: false)) == ["four"])
            #expect(try await names(.init(plan: "pro")) == ["four", "two"])
            #expect(try await names(.init(plan: "none")).isEmpty)
            #expect(try await names(.init(role: .user, isActive: true, plan: "pro")) == ["two"])
            #expect(try await names(.init(search: "t", isActive: true)) == ["three", "two"])
        }
    }

    @Test("It shows the plan of the active subscription alone")
    func plans() async throws {
        try await withStore { db in
            var sample = Sample()
            let old = sample.plan("old")
            let new = sample.plan("new")
            let account = sample.account()
            try await db.insert(old, new)
            try await db.insert(account, sample.account())
            try await db.insert(sample.subscription(of: account.id, to: old, status: .expired))
            try await db.insert(sample.subscription(of: account.id, to: new))
            let found = try await Self.list(db, Accounts.Filter())
            #expect(found.map(\.plan) == [nil, "new"])
        }
    }
}
