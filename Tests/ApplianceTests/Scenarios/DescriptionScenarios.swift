import Domain
import HTTPTypes
import Logging
import ServiceLifecycle
import Support
import Testing

@testable import Appliance

@Suite("The API's description")
struct DescriptionScenarios {
    private static func members(_ json: JSON?) -> [JSON.Member] {
        guard case .object(let members)? = json else { return [] }
        return members
    }

    /// `GET /api/v1/items` and so on, as the document has them.
    private static func described(_ document: JSON) -> [String] {
        members(document["paths"]).flatMap { path in
            members(path.value).map { "\($0.name.uppercased()) \(path.name)" }
        }
    }

    @Test("it has every route of the API once, and nothing else")
    func complete() async throws {
        try await TestServer.run { server async throws in
            let routes = server.appliance.routes
            let document = OpenAPI.document(of: routes)
            let described = Self.described(document)
            let isOfAPI = { (route: Route) in route.operation.isOfAPI }
            #expect(described.count == Set(described).count)
            #expect(Set(described) == Set(routes.filter(isOfAPI).map(ExpectedRoutes.name)))
            let ids = routes.filter(isOfAPI).map(\.operation.id)
            #expect(Set(ids).count == ids.count)
            // What is not described is looked at, by anybody, with a browser.
            for page in routes where !isOfAPI(page) {
                #expect(page.method == .get && page.access == .open, "\(page.path)")
                #expect(page.base.isEmpty && !page.path.hasPrefix("/."), "\(page.path)")
            }
        }
    }

    @Test("it is sent as it is made of the routes, byte for byte, under a tag of its own")
    func served() async throws {
        try await TestServer.run { server async throws in
            let made = OpenAPI.document(of: server.appliance.routes).encoded
            for _ in 0..<2 {
                let answer = try await server.send("GET", "//openapi.json", .none, nil)
                #expect(answer.status == 200 && answer.text == made)
                #expect(answer.headers.first(name: "Content-Type") == "application/json")
                #expect(answer.headers.first(name: "Cache-Control") == "no-cache")
                let tag = try #require(answer.headers.first(name: "ETag"))
                let again = try await TestClient(port: server.port).send(
                    "GET", "/openapi.json", [("If-None-Match", tag)], nil)
                #expect(again.status == 304 && again.body.isEmpty)
            }
        }
    }

    @Test("of each body it has the fields that the server reads, no more and no fewer")
    func fields() async throws {
        try await TestServer.run { server async throws in
            let email = "admin@example.com"
            _ = try await server.appliance.createAdmin(
                email: EmailAddress(canonical: email), password: Secret(TestServer.password))
            let admin = try TestServer.person(try await server.login(email), email)
            for route in server.appliance.routes {
                guard let body = route.operation.body, body.type == "application/json" else {
                    continue
                }
                let path = route.path.replacing(
                    "{id}", with: "01890000-0000-7000-8000-000000000000"
                ).replacing("{slug}", with: "free")
                let wrong = JSON.object([JSON.Member("no_such_field", .bool(true))])
                let answer = try await server.send(
                    route.method.rawValue, String(path.dropFirst(7)), admin.token, wrong)
                let name = ExpectedRoutes.name(route)
                #expect(answer.status == 422, "\(name): \(answer.text)")
                let told = answer.json["errors"]?.elements ?? []
                let unknown = told.first { $0["code"]?.text == "unknown_field" }
                let read = unknown?["message"]?.text?.split(separator: ": ").last?.dropLast()
                let schema = Self.object(of: body.schema)
                let fields = Self.members(schema["properties"]).map(\.name).sorted()
                #expect(
                    read.map(String.init)
                        == (fields.isEmpty ? "none" : fields.joined(separator: ", ")), "\(name)")
                let needed = told.filter { $0["code"]?.text == "required" }
                    .compactMap { $0["field"]?.text }
                let described = (schema["required"]?.elements ?? []).compactMap(\.text)
                #expect(described.sorted() == needed.sorted(), "\(name)")
            }
        }
    }

    @Test("its pages are away where the server has a public address, unless asked for")
    func pages() async throws {
        for (url, choice, isThere) in [
            (nil, "local", true), (nil, "never", false), ("https://id.example.com", "local", false),
            ("https://id.example.com", "always", true),
        ] {
            try await TestServer.run {
                $0.server.publicURL = url
                $0.docs.pages = choice
            } _: { server async throws in
                let routes = server.appliance.routes.map(\.path)
                #expect(routes.contains("/docs") == isThere, "\(url ?? "") \(choice)")
                #expect(routes.contains("/redoc") == isThere, "\(url ?? "") \(choice)")
                #expect(routes.contains("/openapi.json"))
            }
        }
    }

    /// The object that a body is; of one that is this or a list of these, what these are.
    private static func object(of schema: Schema) -> JSON {
        var json = schema.json
        if let first = json["anyOf"]?.elements.first { json = first }
        if let name = json["$ref"]?.text?.split(separator: "/").last {
            json = schema.named[String(name)] ?? .null
        }
        return json
    }
}

@Suite("Versions of the API")
struct VersionScenarios {
    private static let deprecation = Deprecation(
        since: Timestamp("2026-11-23T00:00:00Z") ?? .epoch,
        sunset: Timestamp("2027-11-23T00:00:00Z"), link: "https://example.com/v2")

    @Test("a second one stands beside the first, which says that it will go")
    func beside() async throws {
        try await TestServer.run { server async throws in
            let own = Route(.get, "/api/v2/plans", .open, .page) { _ throws(Problem) in
                .json { $0.string("of its own") }
            }
            let v1 = server.appliance.routes
            let routes = v1.deprecated(Self.deprecation) + v1.version("v2", with: [own])
            try await Self.serve(routes, server) { client in
                let ann = try await server.person()
                let token = [("Authorization", "Bearer \(ann.access)")]
                let old = try await client.send("GET", "/api/v1/me", token, nil)
                let new = try await client.send("GET", "/api/v2/me", token, nil)
                #expect(old.status == 200 && new.status == 200 && old.text == new.text)
                #expect(old.headers["Deprecation"] == ["@1795392000"])
                #expect(old.headers["Sunset"] == ["Tue, 23 Nov 2027 00:00:00 GMT"])
                #expect(old.headers["Link"] == ["<https://example.com/v2>; rel=\"deprecation\""])
                #expect(new.headers["Deprecation"].isEmpty && new.headers["Sunset"].isEmpty)
                // Who is refused has to know it too.
                let refused = try await client.send("GET", "/api/v1/me", [], nil)
                #expect(refused.status == 401 && !refused.headers["Deprecation"].isEmpty)
                let plans = try await client.send("GET", "/api/v2/plans", [], nil)
                #expect(plans.text == "\"of its own\"")
                let made = try await client.send(
                    "POST", "/api/v2/items", token + [("Content-Type", "application/json")],
                    Array(#"{"name":"one"}"#.utf8))
                #expect(made.status == 201)
                #expect(made.headers.first(name: "Location")?.hasPrefix("/api/v2/items/") == true)
            }
        }
    }

    @Test("are described apart, and the old one as deprecated")
    func described() async throws {
        try await TestServer.run { server async throws in
            let v1 = server.appliance.routes
            let document = OpenAPI.document(
                of: v1.deprecated(Self.deprecation) + v1.version("v2"))
            let old = document["paths"]?["/api/v1/items"]?["get"]
            let new = document["paths"]?["/api/v2/items"]?["get"]
            #expect(old?["deprecated"] == true && new?["deprecated"] == nil)
            #expect(old?["operationId"] == "listItems" && new?["operationId"] == "listItemsV2")
            let headers = old?["responses"]?["200"]?["headers"]
            #expect(headers?["Deprecation"] != nil && headers?["Sunset"] != nil)
        }
    }

    /// A listener more, for these routes.
    private static func serve(
        _ routes: [Route], _ server: TestServer,
        _ body: @escaping (TestClient) async throws -> Void
    ) async throws {
        let (ports, announce) = AsyncStream.makeStream(of: Int.self)
        let service = server.appliance.application(
            responder: server.appliance.front(routes),
            endpoint: .address(ListenAddress(host: "127.0.0.1", port: 0)), gatekeeping: nil,
            tls: nil
        ) { announce.yield($0.localAddress?.port ?? 0) }
        let group = ServiceGroup(services: [service], logger: server.appliance.logger)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            guard let port = await ports.first(where: { _ in true }) else { return }
            do {
                try await body(TestClient(port: port))
            } catch {
                await group.triggerGracefulShutdown()
                throw error
            }
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
        }
    }
}
