import Testing

@testable import Appliance

/// How the console's files are served. A binary without web assets (of a plain `swift build`) says
/// only that; `make test` puts them in, and the API tests demand that they are there.
@Suite("The console")
struct ConsoleScenarios {
    static let isEmbedded = !Asset.all.isEmpty

    private static func get(
        _ server: TestServer, _ path: String, _ headers: [(String, String)] = [],
        method: String = "GET"
    ) async throws -> TestAnswer {
        try await TestClient(port: server.port).send(method, path, headers, nil)
    }

    @Test("every path of it answers the same page, which is asked for anew each time")
    func page() async throws {
        try await TestServer.run { server async throws in
            for path in Appliance.consolePaths {
                let answer = try await Self.get(
                    server, path.replacing("{section}", with: "users").replacing("{id}", with: "1"))
                guard Self.isEmbedded else {
                    #expect(answer.code == "not_found" && answer.text.contains("make build"))
                    continue
                }
                #expect(answer.status == 200 && answer.text.contains("<div id=\"app\">"))
                #expect(answer.headers["Content-Type"] == ["text/html; charset=utf-8"])
                #expect(answer.headers["Cache-Control"] == ["no-cache"])
                #expect(answer.headers["Vary"] == ["Accept-Encoding"])
            }
        }
    }

    @Test("its page lets in our own files and nothing else", .enabled(if: isEmbedded))
    func policy() async throws {
        try await TestServer.run { server async throws in
            let answer = try await Self.get(server, "/")
            let policy = try #require(answer.headers.first(name: "Content-Security-Policy"))
            let parts = policy.split(separator: ";").map { $0.split(separator: " ") }
            #expect(parts.first == ["default-src", "'none'"])
            for part in parts {
                #expect(part.dropFirst() == ["'self'"] || part.dropFirst() == ["'none'"])
            }
        }
    }

    @Test("a file comes in the best coding that the client takes", .enabled(if: isEmbedded))
    func codings() async throws {
        try await TestServer.run { server async throws in
            let style = try #require(Asset.named("console.css"))
            var tags: Set<String> = []
            for (accepted, coding) in [
                ("gzip, br", "br"), ("gzip", "gzip"), ("br;q=0, gzip;q=0", nil), ("", nil),
            ] as [(String, String?)] {
                let answer = try await Self.get(
                    server, style.path, [("Accept-Encoding", accepted)])
                #expect(answer.status == 200)
                #expect(answer.headers.first(name: "Content-Encoding") == coding)
                #expect(answer.headers["Content-Type"] == ["text/css; charset=utf-8"])
                #expect(
                    answer.headers["Cache-Control"] == ["public, max-age=31536000, immutable"])
                #expect(answer.headers["Vary"] == ["Accept-Encoding"])
                #expect(answer.headers["Content-Length"] == ["\(answer.body.count)"])
                tags.insert(try #require(answer.headers.first(name: "ETag")))
            }
            #expect(tags.count == 3)
        }
    }

    @Test("who has it already is told so, in that coding only", .enabled(if: isEmbedded))
    func known() async throws {
        try await TestServer.run { server async throws in
            for path in ["/", try #require(Asset.named("app.js")).path] {
                let first = try await Self.get(server, path, [("Accept-Encoding", "br")])
                let tag = try #require(first.headers.first(name: "ETag"))
                let again = try await Self.get(
                    server, path, [("Accept-Encoding", "br"), ("If-None-Match", tag)])
                #expect(again.status == 304 && again.body.isEmpty)
                #expect(again.headers["ETag"] == [tag])
                #expect(again.headers["Cache-Control"] == first.headers["Cache-Control"])
                let other = try await Self.get(
                    server, path, [("Accept-Encoding", "gzip"), ("If-None-Match", tag)])
                #expect(other.status == 200)
            }
        }
    }

    @Test("HEAD tells the length and sends nothing", .enabled(if: isEmbedded))
    func head() async throws {
        try await TestServer.run { server async throws in
            let path = try #require(Asset.named("app.js")).path
            let whole = try await Self.get(server, path, [("Accept-Encoding", "gzip")])
            let head = try await Self.get(
                server, path, [("Accept-Encoding", "gzip")], method: "HEAD")
            #expect(head.status == 200 && head.body.isEmpty)
            #expect(head.headers["Content-Length"] == whole.headers["Content-Length"])
            #expect(head.headers["ETag"] == whole.headers["ETag"])
        }
    }

    @Test("a file that is not there is not found, whatever its name")
    func absent() async throws {
        try await TestServer.run { server async throws in
            for name in ["none.js", "..%2f..%2fetc%2fpasswd", "%00", "app.js"] {
                let answer = try await Self.get(server, "/assets/\(name)")
                #expect(answer.status == 404 && answer.code == "not_found", "\(name)")
            }
        }
    }
}
