import Domain
import Store
import Support
import Testing

@testable import Appliance

/// What holds for each route there is, read from the list that is served.
@Suite("Every route")
struct RouteScenarios {
    /// Somebody, and what they are known by.
    private struct Who {
        let name: String
        let role: Account.Role?
        /// Of a key.
        var scopes: Scopes?
        let headers: [(String, String)]

        static func session(_ person: TestServer.Person, _ role: Account.Role) -> Who {
            Who(
                name: role.rawValue, role: role,
                headers: [("Authorization", "Bearer \(person.access)")])
        }
    }

    private static func admin(_ server: TestServer) async throws -> TestServer.Person {
        let email = "admin@example.com"
        _ = try await server.appliance.createAdmin(
            email: EmailAddress(canonical: email), password: Secret(TestServer.password))
        return try TestServer.person(try await server.login(email), email)
    }

    private static func everybody(_ server: TestServer) async throws -> [Who] {
        let (admin, user) = (try await admin(server), try await server.person())
        let helper = try await server.person("support@example.com")
        let role = JSON.object([JSON.Member("role", .string("support"))])
        let changed = try await server.send(
            "PATCH", "/admin/users/\(helper.id)", admin.token, role)
        #expect(changed.status == 200)
        let support = try TestServer.person(try await server.login(helper.email), helper.email)
        var all = [
            Who(name: "nobody", role: nil, headers: []), .session(user, .user),
            .session(support, .support), .session(admin, .admin),
        ]
        func add(
            _ owner: TestServer.Person, _ role: Account.Role, _ scopes: Scopes
        ) async throws {
            let made = try await server.key(owner, scopes.words)
            let text = try #require(made.json["key"]?.text)
            all.append(
                Who(
                    name: "a key of \(role) with \(scopes.words)", role: role, scopes: scopes,
                    headers: [("X-API-Key", text)]))
        }
        for scope in Scope.allCases {
            let isForAdmins = scope == .adminRead || scope == .adminWrite
            try await add(isForAdmins ? admin : user, isForAdmins ? .admin : .user, [scope])
        }
        try await add(user, .user, [])
        try await add(admin, .admin, [])
        try await add(support, .support, [.adminRead])
        return all
    }

    private static func call(
        _ server: TestServer, _ method: String, _ route: Route, _ headers: [(String, String)] = []
    ) async throws -> TestAnswer {
        var path = route.path
        for (name, value) in [
            ("{id}", "01890000-0000-7000-8000-000000000000"), ("{slug}", "none"),
            ("{code}", "not_found"), ("{name}", "none"), ("{section}", "users"),
            ("{file}", "none.js"),
        ] { path.replace(name, with: value) }
        return try await TestClient(port: server.port).send(method, path, headers, nil)
    }

    /// What its access has to say to them, in the words of the contract; nil lets them in.
    private static func refusal(_ access: Route.Access, _ who: Who) -> String? {
        guard access != .open else { return nil }
        guard let role = who.role else { return "unauthorized" }
        func demand(_ scope: Scope) -> String? {
            who.scopes?.contains(scope) ?? true ? nil : "insufficient_scope"
        }
        switch access {
        case .open: return nil
        case .user: return who.scopes == nil ? nil : "insufficient_scope"
        case .scope(let scope): return demand(scope)
        case .adminRead: return role == .user ? "forbidden" : demand(.adminRead)
        case .adminWrite: return role == .admin ? demand(.adminWrite) : "forbidden"
        }
    }

    @Test("it lets in whom its access names, and nobody else")
    func matrix() async throws {
        try await TestServer.run { server async throws in
            let refusals: Set<String?> = ["unauthorized", "forbidden", "insufficient_scope"]
            let everybody = try await Self.everybody(server)
            for route in server.appliance.routes where route.access != .open {
                for who in everybody {
                    let answer = try await Self.call(
                        server, route.method.rawValue, route, who.headers)
                    let code = refusals.contains(answer.code) ? answer.code : nil
                    #expect(
                        code == Self.refusal(route.access, who),
                        "\(route.method) \(route.path) by \(who.name): \(answer.status)")
                }
            }
        }
    }

    @Test("it stands in the table of the contract's routes, open to whom that names")
    func table() async throws {
        try await TestServer.run { server async throws in
            let routes = server.appliance.routes
            for route in routes {
                let name = ExpectedRoutes.name(route)
                #expect(ExpectedRoutes.all[name] == route.access, "\(name)")
            }
            let served = Set(routes.map(ExpectedRoutes.name))
            #expect(Set(ExpectedRoutes.all.keys).subtracting(served).isEmpty)
            #expect(served.count == routes.count)
        }
    }

    @Test("who may call it is decided by name: these alone are open to all")
    func open() async throws {
        try await TestServer.run { server async throws in
            let open = server.appliance.routes.filter { $0.access == .open }
            let others = open.filter { !Appliance.consolePaths.contains($0.path) }
            let calls = Set(
                others.map { $0.path.split(separator: "/").prefix(3).joined(separator: "/") })
            #expect(
                calls == [
                    "healthz", "readyz", "openapi.json", "docs", "redoc", "problems/{code}",
                    "assets/{file}",
                    ".well-known/jwks.json",
                    "api/v1/auth", "api/v1/setup", "api/v1/plans", "api/v1/gate",
                ])
            // What the console shows is decided by what its calls are answered.
            #expect(Appliance.consolePaths.allSatisfy { !$0.hasPrefix("/api/") })
            let admins = server.appliance.routes.filter { $0.path.hasPrefix("/api/v1/admin") }
            #expect(admins.count >= 21)
            #expect(
                admins.allSatisfy { $0.access == ($0.method == .get ? .adminRead : .adminWrite) })
        }
    }

    @Test("it answers no method but its own, and says which those are")
    func methods() async throws {
        try await TestServer.run { server async throws in
            let routes = server.appliance.routes
            for path in Set(routes.map(\.path)) {
                let here = routes.filter { $0.path == path }
                var own = Set(here.map { $0.method.rawValue })
                if own.contains("GET") { own.insert("HEAD") }
                for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]
                where !own.contains(method) {
                    let answer = try await Self.call(server, method, here[0])
                    #expect(answer.status == 405, "\(method) \(path)")
                    let told = answer.headers.first(name: "Allow")?.split(separator: ", ")
                    #expect(Set((told ?? []).map(String.init)) == own, "\(method) \(path)")
                }
            }
        }
    }

    @Test("its answers tell browsers what they may do, and nobody what we run on")
    func headers() async throws {
        try await TestServer.run { server async throws in
            for route in server.appliance.routes {
                let answer = try await Self.call(server, route.method.rawValue, route)
                let headers = answer.headers
                let name = "\(route.method) \(route.path): \(answer.status)"
                #expect(headers["X-Content-Type-Options"] == ["nosniff"], "\(name)")
                #expect(headers["Referrer-Policy"] == ["no-referrer"], "\(name)")
                #expect(headers["Cross-Origin-Opener-Policy"] == ["same-origin"], "\(name)")
                let policy = headers.first(name: "Content-Security-Policy") ?? ""
                #expect(policy.hasPrefix("default-src 'none'"), "\(name)")
                #expect(policy.hasSuffix("frame-ancestors 'none'"), "\(name)")
                #expect(!policy.contains("unsafe"), "\(name)")
                #expect(headers["Server"].isEmpty && headers["X-Powered-By"].isEmpty, "\(name)")
                #expect(answer.status < 500, "\(name)")
            }
        }
    }

    private static let counts: [SQL] = [
        "SELECT count(*) FROM users", "SELECT max(updated_at) FROM users",
        "SELECT count(*) FROM sessions", "SELECT count(*) FROM sessions WHERE revoked_at IS NULL",
        "SELECT count(*) FROM refresh_tokens", "SELECT count(*) FROM one_time_tokens",
        "SELECT count(*) FROM api_keys", "SELECT count(*) FROM plans",
        "SELECT count(*) FROM subscriptions", "SELECT count(*) FROM items",
        "SELECT count(*) FROM audit_logs", "SELECT count(*) FROM leases",
        "SELECT count(*) FROM reservations", "SELECT count(*) FROM usage_events",
    ]

    @Test("a GET changes nothing")
    func safe() async throws {
        try await TestServer.run { server async throws in
            let token = [("Authorization", "Bearer \(try await Self.admin(server).access)")]
            let rows = { () async throws in
                try await server.appliance.store.read { db throws(Problem) in
                    var rows: [Int64] = []
                    for count in Self.counts { rows.append(try db.count(count)) }
                    return rows
                }
            }
            let before = try await rows()
            server.clock.advance(.seconds(1))
            for route in server.appliance.routes where route.method == .get {
                _ = try await Self.call(server, "GET", route, token)
            }
            #expect(try await rows() == before)
        }
    }
}
