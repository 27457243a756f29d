import Domain
import Store
import Support
import Testing

@testable import Appliance

/// Keys and tokens in memory keep the account they have led to, and the account its customer. Each
/// of the three can leave memory before the others.
@Suite("What has left memory")
struct DroppedMemoryScenarios {
    /// As many as push everybody else out of memory: it has room for two in each of 16 parts.
    private static let crowd = 400

    private func run(
        _ body: @Sendable @escaping (TestServer, TestServer.Person, [UserID]) async throws -> Void
    ) async throws {
        func setRoom(_ configuration: inout Configuration) {
            configuration.limits.customersInMemory = 32
        }
        try await TestServer.run(configure: setRoom) { server in
            let ann = try await server.person()
            let now = server.clock.now
            let crowd = try await server.appliance.store.write { db throws(Problem) in
                var random = SystemRandomNumberGenerator()
                var users: [UserID] = []
                for number in 0..<Self.crowd {
                    let id = UserID(at: now, using: &random)
                    let email = EmailAddress(canonical: "nr\(number)@example.com")
                    let account = Account(
                        id: id, email: email, name: nil, role: .user, createdAt: now,
                        updatedAt: now)
                    _ = try db.accounts.insert(account, passwordHash: nil)
                    users.append(id)
                }
                return users
            }
            try await body(server, ann, crowd)
        }
    }

    private func setActive(
        _ isActive: Bool, _ server: TestServer, _ person: TestServer.Person
    ) async throws {
        let id = try #require(UserID(person.id))
        try await server.appliance.store.write { db throws(Problem) in
            guard var account = try db.accounts.find(id) else { throw Problem.notFound("ann") }
            account.isActive = isActive
            _ = try db.accounts.update(account)
        }
        server.appliance.authenticator.forget(account: id)
    }

    @Test("an account that is banned is out from the next request on, in memory or not")
    func banned() async throws {
        try await run { server, ann, crowd in
            let key = try #require(try await server.key(ann).json["key"]?.text)
            let credentials: [TestServer.Credential] = [.key(key), ann.token]
            for isCrowded in [false, true, false] {
                // Twice: the first request finds the account, the second goes by what it found.
                for credential in credentials + credentials {
                    #expect(try await server.get("/gate", credential).status == 200)
                }
                if isCrowded {
                    for user in crowd {
                        _ = try await server.appliance.authenticator.account(user)
                    }
                }
                try await setActive(false, server, ann)
                for credential in credentials {
                    #expect(try await server.get("/gate", credential).status == 401)
                }
                try await setActive(true, server, ann)
            }
        }
    }

    @Test("a customer who left memory and came back is held to what was counted before")
    func quota() async throws {
        try await run { server, ann, crowd in
            try await server.subscribe(ann, to: [("requests_per_month", 30)])
            let key = try #require(try await server.key(ann).json["key"]?.text)
            var granted = 0
            for _ in 0..<5 {
                for credential in [ann.token, .key(key), ann.token, .key(key)] {
                    if try await server.get("/gate", credential).status == 200 { granted += 1 }
                }
                // What the store does not have stays in memory.
                try await server.appliance.checkpoint()
                // Once more than it takes: who was asked for lately stays for one turn.
                for user in crowd + crowd {
                    try await server.appliance.gatekeeper.load(user, at: server.clock.now)
                }
            }
            #expect(granted == 20)
            let usage = try await server.get("/usage", ann.token)
            #expect(usage.json["metrics"]?.elements.first?["used"]?.number == 20)
            for number in 20..<40 {
                let status = try await server.get("/gate", .key(key)).status
                #expect(status == (number < 30 ? 200 : 429), "\(number)")
            }
        }
    }

    @Test("another plan counts from the next request on for who was found by what led to them")
    func plan() async throws {
        try await run { server, ann, _ in
            let key = try #require(try await server.key(ann).json["key"]?.text)
            for bound in Int64(1)...4 {
                let slug = "plan-\(bound)"
                try await server.subscribe(
                    ann, to: [("requests_per_month", bound * 10)], slug: slug)
                for credential in [.key(key), ann.token] as [TestServer.Credential] {
                    let answer = try await server.get("/gate", credential)
                    #expect(answer.json["plan"] == .string(slug))
                    #expect(answer.json["limits"]?.elements.first?["allowed"]?.number == bound * 10)
                }
            }
        }
    }
}
