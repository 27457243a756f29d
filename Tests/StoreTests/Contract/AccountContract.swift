import Domain
import Store
import Testing

@Suite("Accounts")
struct AccountContract {
    @Test("Every field comes back as it was written", arguments: Account.Role.allCases)
    func roundTrip(role: Account.Role) async throws {
        try await withStore { db in
            var sample = Sample()
            let bare = sample.account(role: role)
            let full = Account(
                id: sample.id(), email: EmailAddress(canonical: "b@example.com"), name: "Zoë Ü 🐘",
                role: role, isActive: false, isEmailVerified: true, hasTOTP: true,
                tokenVersion: .max, createdAt: Timestamp(milliseconds: -5),
                updatedAt: Timestamp(milliseconds: .max))
            for account in [bare, full] {
                try await db.insert(account)
                let found = try await db.read { db throws(Problem) in
                    [try db.accounts.find(account.id), try db.accounts.find(account.email)]
                }
                #expect(found == [account, account])
            }
        }
    }

    @Test("An address belongs to one account: the second is not written")
    func uniqueEmail() async throws {
        try await withStore { db in
            var sample = Sample()
            let first = sample.account("a@example.com")
            let second = sample.account("a@example.com", name: "Second")
            let inserted = try await db.write { db throws(Problem) in
                [
                    try db.accounts.insert(first, passwordHash: nil),
                    try db.accounts.insert(second, passwordHash: nil),
                ]
            }
            #expect(inserted == [true, false])
            #expect(try await db.texts("SELECT id FROM users") == [first.id.description])
        }
    }

    @Test("An id that is taken is an error, not an address that is taken")
    func uniqueID() async throws {
        try await withStore { db in
            var sample = Sample()
            let first = sample.account("a@example.com")
            try await db.insert(first)
            var second = first
            second.email = EmailAddress(canonical: "b@example.com")
            let copy = second
            let problem = await db.refusal { db throws(Problem) in
                try db.accounts.insert(copy, passwordHash: nil)
            }
            #expect(problem?.code == .internal)
        }
    }

    @Test("An update writes every field that can change, and of that account alone")
    func update() async throws {
        try await withStore { db in
            var sample = Sample()
            let account = sample.account("a@example.com")
            let other = sample.account("b@example.com")
            try await db.insert(account, other)
            var changed = account
            changed.email = EmailAddress(canonical: "c@example.com")
            changed.name = "New"
            changed.role = .admin
            changed.isActive = false
            changed.isEmailVerified = true
            changed.hasTOTP = true
            changed.tokenVersion = 2
            changed.updatedAt = sample.now + .seconds(1)
            let wanted = changed
            let isWritten = try await db.write { db throws(Problem) in
                try db.accounts.update(wanted)
            }
            let found = try await db.read { db throws(Problem) in
                [try db.accounts.find(account.id), try db.accounts.find(other.id)]
            }
            #expect(isWritten)
            #expect(found == [wanted, other])
        }
    }

    @Test("An update to another account's address, or of none, is false and writes nothing")
    func updateRefused() async throws {
        try await withStore { db in
            var sample = Sample()
            let account = sample.account("a@example.com")
            let other = sample.account("b@example.com")
            let stranger = sample.account("c@example.com")
            try await db.insert(account, other)
            var taken = account
            taken.email = other.email
            taken.name = "New"
            let refused = taken
            let answers = try await db.write { db throws(Problem) in
                [try db.accounts.update(refused), try db.accounts.update(stranger)]
            }
            #expect(answers == [false, false])
            let found = try await db.read { db throws(Problem) in
                [try db.accounts.find(account.id), try db.accounts.find(stranger.id)]
            }
            #expect(found == [account, nil])
        }
    }

    @Test("The password's hash is kept, set, and replaced only if it is still the old one")
    func passwords() async throws {
        try await withStore { db in
            var sample = Sample()
            let account = sample.account("a@example.com")
            let invited = sample.account("b@example.com")
            let later = sample.now + .seconds(60)
            func hashes() async throws -> [String?] {
                try await db.read { db throws(Problem) in
                    [
                        try db.accounts.credentials(account.id)?.passwordHash,
                        try db.accounts.credentials(invited.email)?.passwordHash,
                    ]
                }
            }
            _ = try await db.write { db throws(Problem) in
                try db.accounts.insert(account, passwordHash: "one")
            }
            try await db.insert(invited)
            #expect(try await hashes() == ["one", nil])
            try await db.write { db throws(Problem) in
                try db.accounts.replacePasswordHash("other", with: "wrong", of: account.id)
                try db.accounts.replacePasswordHash("one", with: "two", of: account.id)
            }
            #expect(try await hashes() == ["two", nil])
            try await db.write { db throws(Problem) in
                try db.accounts.setPassword("three", of: invited.id, at: later)
            }
            #expect(try await hashes() == ["two", "three"])
            let times = try await db.read { db throws(Problem) in
                [
                    try db.accounts.find(account.id)?.updatedAt,
                    try db.accounts.find(invited.id)?.updatedAt,
                ]
            }
            #expect(times == [account.updatedAt, later])
        }
    }

    @Test("An address or an id that nobody has finds nobody")
    func missing() async throws {
        try await withStore { db in
            var sample = Sample()
            let stranger = sample.account()
            let found = try await db.read { db throws(Problem) in
                [
                    try db.accounts.find(stranger.id), try db.accounts.find(stranger.email),
                    try db.accounts.credentials(stranger.id)?.account,
                ]
            }
            #expect(found == [nil, nil, nil])
        }
    }

    @Test("Only active admins count as such, without the one who asks")
    func activeAdmins() async throws {
        try await withStore { db in
            var sample = Sample()
            let admin = sample.account(role: .admin)
            var banned = sample.account(role: .admin)
            banned.isActive = false
            try await db.insert(
                admin, sample.account(role: .admin), banned, sample.account(role: .support),
                sample.account())
            let counts = try await db.read { db throws(Problem) in
                [
                    try db.accounts.activeAdmins(besides: nil),
                    try db.accounts.activeAdmins(besides: admin.id),
                ]
            }
            #expect(counts == [2, 1])
        }
    }
}
