import Domain
import Support
import Testing

@testable import Appliance

@Suite("The gate on the event loop")
struct GateHandlerScenarios {
    /// The same person twice, under one plan, with keys alike: what one is answered by the handler,
    /// the other is by the route.
    private struct Twin {
        let person: TestServer.Person
        let credentials: [String]
        /// What is theirs alone, and what to say for it.
        let names: [(String, String)]

        init(_ server: TestServer, _ email: String, _ limits: [(String, Int64)]) async throws {
            person = try await server.person(email)
            try await server.subscribe(person, to: limits, slug: "twins")
            let own = JSON.Member(
                "limits", .object([JSON.Member("requests_per_day", .integer(6))]))
            let keys = [
                try await server.key(person, ["gate", "items:read"]),
                try await server.key(person, ["items:read"]),
                try await server.key(person, ["gate"], [own]),
            ]
            let texts = keys.compactMap { $0.json["key"]?.text }
            credentials =
                texts.map { "X-API-Key: \($0)\r\n" } + [
                    "Authorization: Bearer \(person.access)\r\n",
                    "authorization: bEARER \(texts[0])\r\n", "", "X-API-Key: gh_wrong\r\n",
                    "Authorization: Basic x\r\n",
                ]
            names =
                [(person.id, "the person")]
                + keys.enumerated().compactMap { index, key in
                    key.json["id"]?.text.map { ($0, "key \(index)") }
                }
        }

        /// An answer without what must differ.
        func plain(_ answer: String) -> String {
            var text = answer.split(separator: "\r\n", omittingEmptySubsequences: false)
                .filter { !$0.hasPrefix("Date: ") }.joined(separator: "\n")
            for (id, name) in names { text.replace(id, with: name) }
            return text
        }
    }

    private static let queries = [
        "", "", "?", "?cost=0", "?cost=2", "?cost=9", "?cost=x", "?metric=words&cost=3",
        "?metric=Not%20a%20word", "?metric=%77ords", "?scope=items:read", "?scope=nothing",
        "?scope=items%3Awrite", "?on_deny=403", "?on_deny=403&cost=8", "?on_deny=1",
        "?cost=1&cost=2", "?a=b&&=&%", "?cost",
    ]

    private static func request(
        _ random: inout SplitMix64, _ credential: String, number: Int, _ more: String
    ) -> String {
        let method = random.pick(["GET", "GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
        let length = random.chance(30) ? "Content-Length: 0\r\n" : ""
        return "\(method) /api/v1/gate\(random.pick(queries)) HTTP/1.1\r\nHost: any.example\r\n"
            + "\(credential)X-Request-Id: number-\(number)\r\n\(length)\(more)\r\n"
    }

    @Test("Its answers are those of the route, byte for byte", arguments: [UInt64](1...6))
    func sameAnswers(seed: UInt64) async throws {
        try await TestServer.run { server async throws in
            var random = SplitMix64(seed: seed)
            let limits: [(String, Int64)] = [
                ("requests_per_minute", 7), ("requests_per_hour", 40), ("words_per_day", 20),
            ]
            let here = try await Twin(server, "here@example.com", limits)
            let there = try await Twin(server, "there@example.com", limits)
            let client = RawClient(port: server.port)
            let before = server.appliance.gateAnswers.current
            for number in 0..<60 {
                server.clock.advance(.milliseconds(random.pick([0, 0, 400, 9000, 600_000])))
                let which = Int(random.int(0...Int64(here.credentials.count - 1)))
                var again = random
                let first = Self.request(&random, here.credentials[which], number: number, "")
                // A spelling that only the route takes, and that changes nothing else.
                let second = Self.request(
                    &again, there.credentials[which], number: number,
                    "Connection: Keep-Alive\r\n")
                // The first question may find something cold, and is then the route's.
                let one = try await client.exchange([first], answers: 1)
                let other = try await client.exchange([second], answers: 1)
                #expect(
                    here.plain(one[0]) == there.plain(other[0]),
                    "seed \(seed), number \(number): \(first)")
            }
            let taken = server.appliance.gateAnswers.current - before
            #expect(taken >= 50, "seed \(seed): only \(taken) of 60 were answered on the loop")
        }
    }

    @Test("Answers keep the order of pipelined requests, whoever gives them")
    func pipelined() async throws {
        try await TestServer.run { server async throws in
            let ann = try await server.person()
            try await server.subscribe(ann, to: [("requests_per_month", 1000)])
            let head = "Host: 127.0.0.1\r\nAuthorization: Bearer \(ann.access)\r\n"
            func get(_ path: String, _ id: Int) -> String {
                "GET \(path) HTTP/1.1\r\n\(head)X-Request-Id: n\(id)\r\n\r\n"
            }
            var random = SplitMix64(seed: 4)
            let paths = ["/api/v1/gate", "/api/v1/gate?cost=2", "/api/v1/me", "/healthz", "/nope"]
            let all = [get("/api/v1/gate", 0)] + (1..<200).map { get(random.pick(paths), $0) }
            let client = RawClient(port: server.port)
            // What is cold is the route's.
            _ = try await client.exchange([get("/api/v1/gate", 0)], answers: 1)
            let before = server.appliance.gateAnswers.current
            let answers = try await client.exchange([all.joined()], answers: 200)
            for (number, answer) in answers.enumerated() {
                #expect(answer.contains("X-Request-Id: n\(number)\r\n"), "\(answer)")
            }
            #expect(server.appliance.gateAnswers.current > before)
        }
    }

    @Test("A request that comes byte by byte, with a body, HEAD or as HTTP/1.0 is answered too")
    func unusual() async throws {
        try await TestServer.run { server async throws in
            let ann = try await server.person()
            let head = "Host: 127.0.0.1\r\nAuthorization: Bearer \(ann.access)\r\n"
            let client = RawClient(port: server.port)
            let slow = "GET /api/v1/gate HTTP/1.1\r\n\(head)\r\n".map { String($0) }
            #expect(try await client.exchange(slow, answers: 1)[0].hasPrefix("HTTP/1.1 200 "))
            let body = "POST /api/v1/gate HTTP/1.1\r\n\(head)Content-Length: 5\r\n\r\n"
            let bodied = try await client.exchange([body, "hello"], answers: 1)
            #expect(bodied[0].hasPrefix("HTTP/1.1 200 "))
            let old = "GET /api/v1/gate HTTP/1.0\r\n\(head)\r\n"
            #expect(try await client.exchange([old], answers: 1)[0].contains(" 200 "))
            let closing = "GET /api/v1/gate HTTP/1.1\r\n\(head)Connection: close\r\n\r\n"
            #expect(try await client.exchange([closing], answers: 1)[0].contains(" 200 "))
            // Once more after a request with a body: the connection's state is right again.
            let both = "\(body)hello" + "GET /api/v1/gate HTTP/1.1\r\n\(head)\r\n"
            #expect(try await client.exchange([both], answers: 2).count == 2)
            let asked = try await server.get("/usage", ann.token)
            #expect(asked.json["metrics"]?.elements.first?["used"]?.number == 6)
        }
    }
}
