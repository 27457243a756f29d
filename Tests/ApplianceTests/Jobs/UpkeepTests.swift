import Domain
import Store
import Support
import Testing

@testable import Appliance

@Suite("Upkeep")
struct UpkeepTests {
    private static func count(_ sql: SQL, _ server: TestServer) async throws -> Int64 {
        try await server.appliance.store.read { db throws(Problem) in try db.count(sql) }
    }

    private static func eventually(_ isSo: () async throws -> Bool) async throws {
        for _ in 0..<10_000 {
            if try await isSo() { return }
            try await Task.sleep(for: .milliseconds(1))
        }
        throw TemporaryFolder.Failure(what: "never")
    }

    @Test("A subscription that runs out is written down within a minute, though nobody calls")
    func subscriptions() async throws {
        try await TestServer.run { server async throws in
            let person = try await server.person()
            let user = try #require(UserID(person.id))
            let now = server.clock.now
            try await server.appliance.store.write { db throws(Problem) in
                guard let plan = try db.plans.find(slug: "pro") else { throw .notFound("plan") }
                _ = try db.subscribe(user, to: plan, expiresAt: now + .seconds(30), at: now)
            }
            server.clock.advance(.seconds(60))
            try await Self.eventually {
                let expired: SQL = "SELECT count(*) FROM subscriptions WHERE status = 'expired'"
                return try await Self.count(expired, server) == 1
            }
            let plan = try await server.get("/me", person.token).json["plan"]?.text
            #expect(plan == "free")
        }
    }

    @Test("Every schedule of the configuration runs by the clock, and ends well")
    func schedules() async throws {
        try await TestServer.run { server async throws in
            server.clock.advance(.seconds(86_400))
            try await Self.eventually {
                let done: SQL = "SELECT count(DISTINCT kind) FROM jobs WHERE state = 'done'"
                return try await Self.count(done, server) == 4
            }
            #expect(try await Self.count("SELECT count(*) FROM schedules", server) == 4)
            #expect(try await Self.count("SELECT sum(attempts) FROM jobs", server) == 4)
        }
    }

    @Test("A schedule that is turned off is no longer there, and its jobs do not come")
    func off() async throws {
        let folder = try TemporaryFolder()
        try await TestServer.run(folder: folder) { server async throws in
            #expect(try await Self.count("SELECT count(*) FROM schedules", server) == 4)
        }
        let onlyCleanUp = { (configuration: inout Configuration) in
            configuration.jobs.expireSubscriptions = ""
            configuration.jobs.rotateSigningKey = ""
            configuration.jobs.rollUpUsage = ""
        }
        try await TestServer.run(folder: folder, configure: onlyCleanUp) { server async throws in
            #expect(try await Self.count("SELECT count(*) FROM schedules", server) == 1)
        }
    }

    @Test("Clean-up removes what has ended in parts, and leaves what has not")
    func cleanUp() async throws {
        let never = { (configuration: inout Configuration) in configuration.jobs.cleanUp = "" }
        try await TestServer.run(configure: never) { server async throws in
            let now = server.clock.now
            try await server.appliance.store.write { db throws(Problem) in
                for number in 0..<1203 {
                    let hash = Array("\(number)".utf8)
                    let end = number < 1200 ? now - .seconds(1) : now + .seconds(1)
                    try db.execute(
                        """
                        INSERT INTO one_time_tokens (token_hash, purpose, created_at, expires_at)
                        VALUES (\(hash), 'verify', 1, \(end))
                        """)
                }
            }
            let verify: SQL = "SELECT count(*) FROM one_time_tokens WHERE purpose = 'verify'"
            #expect(try await Self.count(verify, server) == 1203)
            try await server.appliance.cleanUp(at: now)
            #expect(try await Self.count(verify, server) == 3)
        }
    }

    @Test("Counters of old hours and days are dropped, and months stay")
    func usage() async throws {
        try await TestServer.run { server async throws in
            let person = try await server.person()
            let user = try #require(UserID(person.id))
            let now = server.clock.now
            let day: Duration = .seconds(86_400)
            try await server.appliance.store.write { db throws(Problem) in
                let ages = [0, 89, 91, 399, 401]
                try db.usage.add(
                    ages.map { age in
                        let hour = Window.hour.index(of: now - day * age)
                        return UsageDelta(
                            key: .init(user: user, key: nil, metric: "tokens", hour: hour),
                            value: 1)
                    })
            }
            try await server.appliance.rollUpUsage(at: now)
            for (window, rows) in [("hour", 2), ("day", 4), ("month", 3)] as [(String, Int64)] {
                let left: SQL =
                    "SELECT count(*) FROM usage_counters WHERE granularity = \(window)"
                #expect(try await Self.count(left, server) == rows, "\(window)")
            }
        }
    }
}
