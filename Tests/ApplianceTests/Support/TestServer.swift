import Domain
import Logging
import NIOCore
import ServiceLifecycle
import Store
import Support

@testable import Appliance

extension FakeClock {
    var wall: WallClock {
        WallClock(
            now: { self.now },
            sleep: { end throws(CancellationError) in try await self.sleep(until: end) })
    }
}

/// The appliance as the daemon runs it: the same value, real SQLite, real sockets; a fake clock.
struct TestServer: Sendable {
    let appliance: Appliance
    let clock: FakeClock
    let folder: TemporaryFolder
    let port: Int

    static let password = "correct horse battery staple"

    /// Starts one, runs `body`, stops it in the ordinary way and closes the store.
    static func run(
        folder: TemporaryFolder? = nil, clock: FakeClock = FakeClock(),
        configure: (inout Configuration) -> Void = { _ in },
        _ body: @Sendable @escaping (TestServer) async throws -> Void
    ) async throws {
        let folder = try folder ?? TemporaryFolder()
        var configuration = Configuration()
        configuration.dataDirectory = folder.path
        configuration.server.listen.port = 0
        configuration.metrics.listen = nil
        configuration.auth.argon2Threads = 2
        // Most tests turn the clock for another reason, and no night has to copy their store.
        configuration.backup.at = nil
        configuration.backup.drillAt = nil
        configure(&configuration)
        let store = try configuration.openStore(serves: true)
        defer { store.close() }
        var logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        logger.logLevel = .critical
        let appliance = try Appliance(
            configuration: configuration, store: store, clock: clock.wall, logger: logger)
        defer { appliance.close() }
        try await appliance.prepare()
        let (ports, announce) = AsyncStream.makeStream(of: Int.self)
        let group = ServiceGroup(
            services: appliance.services { channel in
                announce.yield(channel.localAddress?.port ?? 0)
            }, logger: logger)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            guard let port = await ports.first(where: { _ in true }) else { return }
            let server = TestServer(
                appliance: appliance, clock: clock, folder: folder, port: port)
            do {
                try await body(server)
            } catch {
                await group.triggerGracefulShutdown()
                throw error
            }
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
        }
    }

    // MARK: Common steps

    func post(
        _ path: String, _ json: JSON, _ credential: Credential = .none
    ) async throws -> TestAnswer {
        try await send("POST", path, credential, json)
    }

    func get(_ path: String, _ credential: Credential = .none) async throws -> TestAnswer {
        try await send("GET", path, credential, nil)
    }

    enum Credential: Sendable {
        case none
        case token(String)
        case key(String)
    }

    func send(
        _ method: String, _ path: String, _ credential: Credential, _ json: JSON?
    ) async throws -> TestAnswer {
        var answer = try await sendOnce(method, path, credential, json)
        // On a machine that is busy with other tests a node may be late to hear of changes.
        while answer.status == 503, appliance.cluster != nil {
            answer = try await sendOnce(method, path, credential, json)
        }
        return answer
    }

    func getOnce(_ path: String, _ credential: Credential) async throws -> TestAnswer {
        try await sendOnce("GET", path, credential, nil)
    }

    func sendOnce(
        _ method: String, _ path: String, _ credential: Credential, _ json: JSON?
    ) async throws -> TestAnswer {
        var headers: [(String, String)] = []
        switch credential {
        case .none: break
        case .token(let text): headers.append(("Authorization", "Bearer \(text)"))
        case .key(let text): headers.append(("X-API-Key", text))
        }
        if json != nil { headers.append(("Content-Type", "application/json")) }
        return try await TestClient(port: port).send(
            method, path.hasPrefix("/.") || path.hasPrefix("//") ? path : "/api/v1" + path,
            headers, json.map { Array($0.encoded.utf8) })
    }

    struct Person: Sendable {
        let id: String
        let email: String
        let access: String
        let refresh: String

        var token: Credential { .token(access) }
    }

    func register(_ email: String) async throws -> TestAnswer {
        try await post("/auth/register", credentials(email))
    }

    func login(_ email: String, password: String = password) async throws -> TestAnswer {
        try await post("/auth/login", credentials(email, password))
    }

    func person(_ email: String = "ann@example.com") async throws -> Person {
        _ = try await register(email)
        return try Self.person(try await login(email), email)
    }

    static func person(_ answer: TestAnswer, _ email: String) throws -> Person {
        guard answer.status == 200, let id = answer.json["user"]?["id"]?.text,
            let access = answer.json["access_token"]?.text,
            let refresh = answer.json["refresh_token"]?.text
        else { throw TemporaryFolder.Failure(what: "no sign-in: \(answer.text)") }
        return Person(id: id, email: email, access: access, refresh: refresh)
    }

    func refresh(_ token: String) async throws -> TestAnswer {
        try await post("/auth/refresh", .object([JSON.Member("refresh_token", .string(token))]))
    }

    func key(
        _ person: Person, _ scopes: [String] = ["gate"], _ more: [JSON.Member] = []
    ) async throws -> TestAnswer {
        try await post(
            "/api-keys",
            .object(
                [
                    JSON.Member("name", .string("test")),
                    JSON.Member("scopes", .array(scopes.map(JSON.string))),
                ] + more), person.token)
    }

    /// Returns when no letter waits to be sent; nothing announces the end of a job.
    func mailsSent() async throws {
        func count() async throws -> Int {
            try await appliance.store.read { db throws(Problem) in
                try db.jobs.counts().count { $0.kind == "send_mail" && $0.state != .dead }
            }
        }
        while try await count() > 0 { try await Task.sleep(for: .milliseconds(5)) }
    }

    /// The mails in the folder, oldest first, as text.
    func mails(to email: String) async throws -> [String] {
        try await mailsSent()
        let folder = "\(folder.path)/mailbox"
        guard SafeFile.exists(folder) else { return [] }
        return try FolderListing.files(in: folder).sorted().map { name in
            QuotedPrintableText.decode(
                String(
                    decoding: try SafeFile.read("\(folder)/\(name)", bytesMax: 1 << 20),
                    as: UTF8.self))
        }.filter { $0.contains("To: \(email)") }
    }

    /// The token of the newest mail with a link to that page, once every letter is written.
    func mailedToken(to email: String, page: String) async throws -> String {
        let mark = "/\(page)#token="
        let text = try await mails(to: email).last { $0.contains(mark) }
        guard let text, let start = text.firstRange(of: mark) else {
            throw TemporaryFolder.Failure(what: "no \(page) mail to \(email)")
        }
        return String(text[start.upperBound...].prefix { !$0.isWhitespace })
    }

    /// A plan for one test, chosen by the person.
    func subscribe(
        _ person: Person, to limits: [(String, Int64)], slug: String? = nil
    ) async throws {
        let json = JSON.object(limits.map { JSON.Member($0.0, .integer($0.1)) })
        let slug = slug ?? "plan-\(person.id.prefix(8))-\(limits.count)"
        var random = SystemRandomNumberGenerator()
        let now = clock.now
        let plan = Plan(
            id: ID(at: now, using: &random), slug: slug, name: "Test", description: nil,
            limits: try Limits(json: json), isSelfService: true, isDefault: false,
            createdAt: now, updatedAt: now)
        _ = try await appliance.store.write { db throws(Problem) in try db.plans.insert(plan) }
        _ = try await post(
            "/subscribe", .object([JSON.Member("plan", .string(slug))]), person.token)
    }

    private func credentials(_ email: String, _ password: String = password) -> JSON {
        .object([
            JSON.Member("email", .string(email)), JSON.Member("password", .string(password)),
        ])
    }
}

extension JSON {
    var text: String? {
        guard case .string(let text) = self else { return nil }
        return text
    }

    var number: Int64? {
        guard case .integer(let number) = self else { return nil }
        return number
    }

    var elements: [JSON] {
        guard case .array(let elements) = self else { return [] }
        return elements
    }
}
