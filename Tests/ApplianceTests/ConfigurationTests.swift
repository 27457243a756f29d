import Domain
import Testing

@testable import Appliance

@Suite("Configuration")
struct ConfigurationTests {
    private static let manual: [UInt8]? = {
        let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        return try? SafeFile.read("/\(root)/config/gatehouse.yaml", bytesMax: 1 << 20)
    }()

    private static func apply(_ text: String) throws -> Configuration {
        var configuration = Configuration()
        try ConfigurationLoader.apply(Array(text.utf8), from: "c.yaml", to: &configuration)
        return configuration
    }

    private static func refusal(_ text: String) -> String? {
        do {
            _ = try apply(text)
            return nil
        } catch {
            return "\(error)"
        }
    }

    @Test("the manual has every key, in order, with the default that the code has")
    func manualIsTrue() throws {
        let text = try #require(Self.manual)
        let entries = try YAMLFile.entries(of: text)
        #expect(entries.map(\.key) == ConfigurationKey.all.map(\.name))
        var fromManual = Configuration()
        try ConfigurationLoader.apply(text, from: "gatehouse.yaml", to: &fromManual)
        #expect(fromManual == Configuration())
    }

    @Test("every key of the manual has a comment above it")
    func manualExplains() throws {
        let text = String(decoding: try #require(Self.manual), as: UTF8.self)
        var comments = 0
        for line in text.split(separator: "\n") where line.contains("#") { comments += 1 }
        #expect(comments >= ConfigurationKey.all.count)
    }

    @Test("an unknown key is refused with its line, and the key that was meant")
    func unknownKey() {
        #expect(
            Self.refusal("server:\n  # a comment\n  listne: x\n")
                == "c.yaml:3: unknown key server.listne; did you mean server.listen?")
        #expect(Self.refusal("nonsense: 1\n") == "c.yaml:1: unknown key nonsense")
    }

    @Test(
        "a wrong value is refused with what was expected",
        arguments: [
            ("server:\n  listen: 8080\n", "c.yaml:2: server.listen: expected HOST:PORT"),
            (
                "auth:\n  password_min_length: 7\n",
                "c.yaml:2: auth.password_min_length: expected a whole number from 8 to 128"
            ),
            (
                "auth:\n  require_verified_email: yes\n",
                "c.yaml:2: auth.require_verified_email: expected true or false"
            ),
            (
                "server:\n  trusted_proxies: [10.0.0.0/33]\n",
                "c.yaml:2: server.trusted_proxies: expected a list of addresses or networks "
                    + "such as 10.0.0.0/8"
            ),
            (
                "server:\n  trusted_proxies: 10.0.0.0/8\n",
                "c.yaml:2: server.trusted_proxies: expected a list of addresses or networks "
                    + "such as 10.0.0.0/8"
            ),
        ])
    func wrongValue(_ text: String, _ expected: String) {
        #expect(Self.refusal(text) == expected)
    }

    @Test("a key twice, an alias and a broken file are refused with their line")
    func notOurYAML() {
        let twice = Self.refusal("log:\n  level: info\n  level: debug\n")
        #expect(twice == "c.yaml:3: log.level stands in line 2 already")
        #expect(Self.refusal("log: &a\n  level: info\nmail: *a\n")?.hasPrefix("c.yaml:3:") == true)
        #expect(Self.refusal("log: [\n")?.hasPrefix("c.yaml:") == true)
    }

    @Test("an empty file is the defaults")
    func empty() throws {
        #expect(try Self.apply("") == Configuration())
        #expect(try Self.apply("# nothing\n") == Configuration())
    }

    @Test("the environment wins over the file, and its mistakes are named")
    func environment() throws {
        let loaded = try ConfigurationLoader.load(
            file: nil,
            environment: [
                "GATEHOUSE_AUTH_ACCESS_TOKEN_TTL": "5m", "GATEHOUSE_ADMIN_EMAIL": "other program",
                "GATEHOUSE_SERVER_TRUSTED_PROXIES": "10.0.0.0/8, ::1", "HOME": "/",
            ])
        #expect(loaded.auth.accessTokenTTL == .seconds(300))
        #expect(loaded.server.trustedProxies.count == 2)
        #expect(throws: ConfigurationLoader.Failure.self) {
            try ConfigurationLoader.load(file: nil, environment: ["GATEHOUSE_LOG_LEVLE": "info"])
        }
        #expect(throws: ConfigurationLoader.Failure.self) {
            try ConfigurationLoader.load(file: nil, environment: ["GATEHOUSE_LOG_LEVEL": "loud"])
        }
    }

    @Test(
        "durations read back as they are shown", arguments: ["0ms", "500ms", "90s", "15m", "30d"])
    func durations(_ text: String) throws {
        let duration = try #require(DurationText.parse(text))
        #expect(DurationText.show(duration) == text)
    }
}
