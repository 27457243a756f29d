import Domain
import Store
import Support
import Testing

@testable import Appliance

/// What one node revokes or changes, and when the other one knows.
@Suite(
    "What one node changes, on the other", .enabled(if: PostgresDatabase.isWanted),
    .timeLimit(.minutes(3)))
struct RevocationScenarios {
    /// Asks until that answer comes. What was asked a second after the change, or later, is never
    /// answered as before it, however slow this machine is.
    private static func ends(
        in status: Int, since change: ContinuousClock.Instant,
        _ ask: () async throws -> TestAnswer
    ) async throws {
        while true {
            let asked = ContinuousClock.now
            let answer = try await ask()
            if answer.status == status { return }
            // A node that cannot tell in time says so.
            guard answer.status != 503 else { continue }
            guard asked - change < .seconds(1) else {
                Issue.record("\(answer.status) after \(asked - change): \(answer.text)")
                return
            }
        }
    }

    @Test("A session that is signed out on one node is dead on the other within a second")
    func session() async throws {
        try await TestNodes.run { first, second in
            let ann = try await first.person()
            #expect(try await second.get("/me", ann.token).status == 200)
            let body = JSON.object([JSON.Member("refresh_token", .string(ann.refresh))])
            #expect(try await first.post("/auth/logout", body).status == 204)
            let change = ContinuousClock.now
            try await Self.ends(in: 401, since: change) {
                try await second.getOnce("/me", ann.token)
            }
            #expect(try await second.get("/me", ann.token).status == 401)
        }
    }

    @Test("A key that is revoked on one node is dead on the other within a second")
    func key() async throws {
        try await TestNodes.run { first, second in
            let ann = try await first.person()
            let made = try await first.key(ann).json
            let key = TestServer.Credential.key(try #require(made["key"]?.text))
            let id = try #require(made["id"]?.text)
            #expect(try await second.get("/gate", key).status == 200)
            #expect(
                try await first.send("DELETE", "/api-keys/\(id)", ann.token, nil).status == 204)
            let change = ContinuousClock.now
            try await Self.ends(in: 401, since: change) { try await second.getOnce("/gate", key) }
        }
    }

    @Test("An account that is banned by hand, in the store itself, is out on both nodes")
    func account() async throws {
        try await TestNodes.run { first, second in
            let ann = try await first.person()
            for node in [first, second] {
                #expect(try await node.get("/me", ann.token).status == 200)
            }
            _ = try await first.appliance.store.write { db throws(Problem) in
                try db.execute("UPDATE users SET is_active = 0 WHERE id = \(ann.id)")
            }
            let change = ContinuousClock.now
            for node in [first, second] {
                try await Self.ends(in: 401, since: change) {
                    try await node.getOnce("/me", ann.token)
                }
            }
        }
    }

    @Test("Another plan, and another limit of it, hold on the other node within a second")
    func plan() async throws {
        try await TestNodes.run { first, second in
            let ann = try await first.person()
            let made = try await first.key(ann).json
            let key = TestServer.Credential.key(try #require(made["key"]?.text))
            func seen(_ node: TestServer) async throws -> [String] {
                let json = try await node.getOnce("/gate", key).json
                let limits = json["limits"]?.elements.compactMap { $0["allowed"]?.number } ?? []
                return [json["plan"]?.text ?? "none"] + limits.map { "\($0)" }
            }
            _ = try await seen(second)
            try await first.subscribe(ann, to: [("requests_per_month", 77)], slug: "mine")
            var change = ContinuousClock.now
            try await Self.sees(["mine", "77"], since: change) { try await seen(second) }
            let limits = #"{"requests_per_month":99}"#
            _ = try await first.appliance.store.write { db throws(Problem) in
                try db.execute("UPDATE plans SET limits_json = \(limits) WHERE slug = 'mine'")
            }
            change = ContinuousClock.now
            for node in [first, second] {
                try await Self.sees(["mine", "99"], since: change) { try await seen(node) }
            }
        }
    }

    private static func sees(
        _ wanted: [String], since change: ContinuousClock.Instant,
        _ look: () async throws -> [String]
    ) async throws {
        while true {
            let asked = ContinuousClock.now
            let seen = try await look()
            if seen == wanted { return }
            guard seen != ["none"] else { continue }
            guard asked - change < .seconds(1) else {
                Issue.record("\(seen) after \(asked - change)")
                return
            }
        }
    }

    @Test("A deleted account's key is dead on the other node, and its session too")
    func deleted() async throws {
        try await TestNodes.run { first, second in
            let ann = try await first.person()
            let made = try await first.key(ann).json
            let key = TestServer.Credential.key(try #require(made["key"]?.text))
            #expect(try await second.get("/gate", key).status == 200)
            #expect(try await second.get("/me", ann.token).status == 200)
            let body = JSON.object([JSON.Member("current_password", .string(TestServer.password))])
            #expect(try await first.send("DELETE", "/me", ann.token, body).status == 204)
            let change = ContinuousClock.now
            try await Self.ends(in: 401, since: change) { try await second.getOnce("/gate", key) }
            try await Self.ends(in: 401, since: change) {
                try await second.getOnce("/me", ann.token)
            }
        }
    }

    @Test("A refresh on one node is delivered on the other, and what came before it is reuse")
    func delivery() async throws {
        // Nodes follow Redis's clock, which no test turns.
        try await TestNodes.run(refreshGrace: .zero) { first, second in
            let ann = try await first.person()
            // The other node knows the first generation.
            #expect(try await second.get("/me", ann.token).status == 200)
            let newer = try TestServer.person(try await first.refresh(ann.refresh), ann.email)
            #expect(try await second.get("/me", newer.token).status == 200)
            try await second.appliance.checkpoint()
            var reused = try await first.refresh(ann.refresh)
            // By the first one's clock the delivery may be to come yet, for a moment.
            while reused.status == 200 { reused = try await first.refresh(ann.refresh) }
            #expect(reused.code == "refresh_token_reused", "\(reused.text)")
            let change = ContinuousClock.now
            try await Self.ends(in: 401, since: change) {
                try await second.getOnce("/me", newer.token)
            }
        }
    }

    // MARK: A node that is cut off

    private static func cut(_ state: CutWay.State) async throws {
        let url = try PostgresDatabase.make()
        try await CutWay.run(to: url) { way, through in
            try await TestNodes.run(url: url, secondURL: through) { first, second in
                let ann = try await first.person()
                let made = try await first.key(ann).json
                let key = TestServer.Credential.key(try #require(made["key"]?.text))
                let id = try #require(made["id"]?.text)
                #expect(try await second.get("/gate", key).status == 200)
                way.turn(state)
                // The one that is away may have the turn of those that write, for a moment.
                #expect(
                    try await first.send("DELETE", "/api-keys/\(id)", ann.token, nil).status == 204)
                let change = ContinuousClock.now
                // It cannot know, so it does not say yes.
                var last: TestAnswer?
                while ContinuousClock.now - change < .seconds(3) {
                    let asked = ContinuousClock.now
                    let answer = try await second.getOnce("/gate", key)
                    if asked - change >= .seconds(1) {
                        #expect(answer.status == 503, "\(answer.text)")
                        last = answer
                    }
                }
                #expect(last?.code == "unavailable" && last?.retryAfter == 1)
                if state == .cut {
                    let reasons = await second.appliance.readiness.reasons()
                    #expect(reasons.contains("what other nodes change is not heard of"))
                }
                // The other node is not concerned.
                #expect(try await first.get("/me", ann.token).status == 200)
                way.turn(.open)
                #expect(try await second.get("/gate", key).status == 401)
                #expect(try await second.get("/me", ann.token).status == 200)
            }
        }
    }

    @Test("A node whose way to the store is cut believes no credential after a second")
    func cutOff() async throws { try await Self.cut(.cut) }

    @Test("The same where the way is there and carries nothing")
    func silent() async throws { try await Self.cut(.silent) }
}
