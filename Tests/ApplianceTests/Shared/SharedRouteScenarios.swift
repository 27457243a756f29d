import Domain
import Support
import Testing

@testable import Appliance

@Suite(
    "Calls that go to another node each time", .serialized,
    .enabled(if: PostgresDatabase.isWanted))
struct SharedRouteScenarios {
    private static func object(_ members: [(String, JSON)]) -> JSON {
        .object(members.map { JSON.Member($0.0, $0.1) })
    }

    @Test("A lease is taken on one node, renewed on another, and given back on the first")
    func leases() async throws {
        try await TestNodes.run { first, second in
            let ann = try await first.person()
            try await first.subscribe(ann, to: [("concurrent_jobs", 1)])
            let wanted = Self.object([("resource", .string("jobs")), ("ttl_seconds", .integer(60))])
            let taken = try await first.post("/leases", wanted, ann.token)
            #expect(taken.status == 201, "\(taken.text)")
            let id = try #require(taken.json["id"]?.text)
            let token = try #require(taken.json["fencing_token"]?.number)
            #expect(
                try await second.post("/leases", wanted, ann.token).code == "concurrency_exceeded")
            let renewal = Self.object([
                ("fencing_token", .integer(token)), ("ttl_seconds", .integer(120)),
            ])
            let renewed = try await second.send("PUT", "/leases/\(id)", ann.token, renewal)
            #expect(renewed.status == 200, "\(renewed.text)")
            let path = "/leases/\(id)?fencing_token=\(token)"
            #expect(try await first.send("DELETE", path, ann.token, nil).status == 204)
            #expect(try await second.send("DELETE", path, ann.token, nil).code == "lease_lost")
            #expect(try await second.post("/leases", wanted, ann.token).status == 201)
        }
    }

    @Test("A reservation holds on every node, and is committed once, wherever that is asked for")
    func reservations() async throws {
        try await TestNodes.run { first, second in
            let ann = try await first.person()
            try await first.subscribe(ann, to: [("words_per_month", 100)])
            let wanted = Self.object([
                ("metric", .string("words")), ("amount", .integer(80)),
                ("ttl_seconds", .integer(60)),
            ])
            let held = try await first.post("/reservations", wanted, ann.token)
            let id = try #require(held.json["id"]?.text)
            let gate = "/gate?metric=words&cost="
            #expect(try await second.get(gate + "21", ann.token).code == "quota_exceeded")
            let used = Self.object([("amount", .integer(30))])
            let path = "/reservations/\(id)/commit"
            for node in [second, first, second] {
                #expect(try await node.post(path, used, ann.token).status == 200)
            }
            #expect(try await first.get(gate + "70", ann.token).status == 200)
            #expect(try await second.get(gate + "1", ann.token).code == "quota_exceeded")
        }
    }

    @Test("Things count wherever they were made, and requests for them too")
    func items() async throws {
        try await TestNodes.run { first, second in
            let ann = try await first.person()
            try await first.subscribe(ann, to: [("max_items", 1), ("requests_per_month", 5)])
            let thing = Self.object([("name", .string("A thing"))])
            let made = try await first.post("/items", thing, ann.token)
            let id = try #require(made.json["id"]?.text)
            #expect(try await second.post("/items", thing, ann.token).code == "limit_reached")
            #expect(try await second.send("DELETE", "/items/\(id)", ann.token, nil).status == 204)
            #expect(try await first.post("/items", thing, ann.token).status == 201)
            #expect(try await second.get("/items", ann.token).status == 200)
            #expect(try await first.get("/items", ann.token).status == 200)
            #expect(try await second.get("/gate", ann.token).code == "quota_exceeded")
            let report = try await second.get("/usage", ann.token)
            #expect(report.json["stocks"]?.elements.first?["used"]?.number == 1)
            #expect(report.json["metrics"]?.elements.first?["used"]?.number == 5)
        }
    }

    @Test("An event is counted once, though it is sent to two nodes")
    func events() async throws {
        try await TestNodes.run { first, second in
            let ann = try await first.person()
            try await first.subscribe(ann, to: [("words_per_month", 100)])
            let key = try await first.key(ann, ["usage:write", "usage:read"])
            let text = try #require(key.json["key"]?.text)
            let event = Self.object([
                ("id", .string("order-1")), ("metric", .string("words")), ("value", .integer(40)),
            ])
            for (node, isDuplicate) in [(first, false), (second, true), (first, true)] {
                let answer = try await node.post("/usage/events", event, .key(text))
                #expect(answer.json["duplicate"] == .bool(isDuplicate), "\(answer.text)")
            }
            for node in [first, second] {
                let report = try await node.get("/usage", .key(text))
                #expect(report.json["metrics"]?.elements.first?["used"]?.number == 40)
            }
        }
    }
}
