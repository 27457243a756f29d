import Domain
import Support
import Testing

@testable import Appliance

/// What belongs to one user does not exist for another (security S4).
@Suite("Every route with an id")
struct OwnershipScenarios {
    /// A call about Ann's thing, as Ann could make it.
    private struct Thing {
        let path: String
        var body: JSON?
        /// What everybody else is told: the same as when there is no such thing.
        var refusal = (status: 404, code: "not_found")
    }

    private static func object(_ members: (String, JSON)...) -> JSON {
        .object(members.map { JSON.Member($0.0, $0.1) })
    }

    /// Ann's things, by the names of the routes about them.
    private static func things(
        of ann: TestServer.Person, on server: TestServer
    ) async throws -> [String: Thing] {
        func id(_ json: JSON?) throws -> String { try #require(json?["id"]?.text) }
        func make(_ path: String, _ body: JSON) async throws -> JSON {
            try await server.post(path, body, ann.token).json
        }
        let key = "/api-keys/\(try id(try await server.key(ann).json))"
        let item = try await make("/items", object(("name", .string("a")), ("data", .null)))
        let itemPath = "/items/\(try id(item))"
        let held = try await make(
            "/reservations",
            object(
                ("metric", .string("requests")), ("amount", .integer(1)),
                ("ttl_seconds", .integer(60))))
        let lease = try await make(
            "/leases", object(("resource", .string("jobs")), ("ttl_seconds", .integer(60))))
        let token = try #require(lease["fencing_token"])
        let sessions = try await server.get("/me/sessions", ann.token).json["items"]?.elements
        let lost = (status: 409, code: "lease_lost")
        return [
            "GET /api/v1/api-keys/{id}": Thing(path: key),
            "PATCH /api/v1/api-keys/{id}": Thing(
                path: key, body: object(("name", .string("b")))),
            "DELETE /api/v1/api-keys/{id}": Thing(path: key),
            "POST /api/v1/api-keys/{id}/rotate": Thing(path: key + "/rotate", body: object()),
            "GET /api/v1/items/{id}": Thing(path: itemPath),
            "PATCH /api/v1/items/{id}": Thing(
                path: itemPath, body: object(("name", .string("b")))),
            "DELETE /api/v1/items/{id}": Thing(path: itemPath),
            "DELETE /api/v1/me/sessions/{id}": Thing(
                path: "/me/sessions/\(try id(sessions?.first))"),
            "POST /api/v1/reservations/{id}/commit": Thing(
                path: "/reservations/\(try id(held))/commit",
                body: object(("amount", .integer(1)))),
            "DELETE /api/v1/reservations/{id}": Thing(path: "/reservations/\(try id(held))"),
            "PUT /api/v1/leases/{id}": Thing(
                path: "/leases/\(try id(lease))",
                body: object(("fencing_token", token), ("ttl_seconds", .integer(60))),
                refusal: lost),
            "DELETE /api/v1/leases/{id}": Thing(
                path: "/leases/\(try id(lease))", body: object(("fencing_token", token)),
                refusal: lost),
        ]
    }

    @Test("it knows nothing of what is another user's, and changes none of it")
    func others() async throws {
        try await TestServer.run { server async throws in
            let ann = try await server.person()
            let bob = try await server.person("bob@example.com")
            let things = try await Self.things(of: ann, on: server)
            let routes = server.appliance.routes
                .filter { $0.path.contains("{id}") && !$0.path.contains("/admin/") }
            for route in routes {
                let name = ExpectedRoutes.name(route)
                let thing = try #require(things[name], "a new route: \(name)")
                let answer = try await server.send(
                    route.method.rawValue, thing.path, bob.token, thing.body)
                #expect(answer.status == thing.refusal.status, "\(name): \(answer.text)")
                #expect(answer.code == thing.refusal.code, "\(name)")
            }
            #expect(things.count == routes.count)
            // All of it is still Ann's. What ends a thing comes last; one reservation ends once.
            let names = things.keys.filter { $0 != "DELETE /api/v1/reservations/{id}" }
            let ends = names.filter { $0.hasPrefix("DELETE") }.sorted()
            for name in names.filter({ !$0.hasPrefix("DELETE") }).sorted() + ends {
                let thing = try #require(things[name])
                let answer = try await server.send(
                    String(name.prefix { $0 != " " }), thing.path, ann.token, thing.body)
                #expect((200..<300).contains(answer.status), "\(name): \(answer.text)")
                // Her session was the last of her things.
                if name.contains("/me/sessions/") { break }
            }
        }
    }
}
