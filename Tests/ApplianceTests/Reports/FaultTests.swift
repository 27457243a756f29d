import Domain
import Logging
import NIOHTTP1
import Support
import Testing

@testable import Appliance

@Suite("Errors that are reported")
struct FaultTests {
    @Test(
        "whatever looks like a secret or a person is taken out",
        arguments: [
            ("Authorization: Bearer abc", "Authorization: Bearer [scrubbed]"),
            ("password=hunter2, then", "password=[scrubbed], then"),
            ("token: \"x y\"", "token: \"[scrubbed] y\""),
            ("the password is wrong", "the password is wrong"),
            ("gh_abc and ghr_d-e and eyJhbGciOi.J9.x", "[scrubbed] and [scrubbed] and [scrubbed]"),
            ("mail to ann@example.com failed", "mail to [scrubbed] failed"),
            ("JBSWY3DPEHPK3PXPJBSWY3DP", "[scrubbed]"),
            ("/reset-password#token=abc", "/reset-password#token=[scrubbed]"),
            ("0193f0a1-7c3e-7000-8000-0123456789ab", "0193f0a1-7c3e-7000-8000-0123456789ab"),
            ("UNIQUE constraint failed: users.email", "UNIQUE constraint failed: users.email"),
            ("disk I/O error (10), code 4106", "disk I/O error (10), code 4106"),
        ])
    func scrubbing(_ text: String, _ expected: String) {
        #expect(Scrubber.scrub(text) == expected)
    }

    @Test("lines below an error are no faults, and only named members go along")
    func lines() {
        let clock = FakeClock()
        let reporter = FaultReporter(clock: clock.wall) { 7 }
        var logger = Logger(label: "test") { _ in
            JSONLogHandler(clock: clock.wall, faults: reporter) { _ in }
        }
        logger.logLevel = .trace
        logger.warning("a warning", metadata: ["cause": "x"])
        logger.error(
            "an error",
            metadata: ["cause": "Bearer x", "route": "/a/{id}", "email": "ann@example.com"])
        logger.critical("the end")
        let faults = reporter.outbox.take(atMost: 9)
        #expect(faults.map(\.what) == ["an error", "the end"])
        #expect(faults.map(\.isFatal) == [false, true])
        #expect(faults.first?.cause == "Bearer [scrubbed]")
        #expect(faults.first?.details == ["route": "/a/{id}"])
        #expect(faults.first?.at == clock.now)
    }

    private static func answer(
        _ status: Int, _ fields: [(String, String)] = []
    ) -> ReportAnswer {
        ReportAnswer(status: status, headers: HTTPHeaders(fields), body: [])
    }

    @Test("limits hold for their categories and their time")
    func limits() {
        let now = FakeClock().now
        let limits = SentryLimits()
        let field = "60:transaction:key, 120:error;default:organization:quota, x:error, 5"
        limits.note(Self.answer(200, [("X-Sentry-Rate-Limits", field)]), at: now)
        #expect(!limits.allowsEvents(at: now + .seconds(119)))
        #expect(limits.allowsEvents(at: now + .seconds(120)))
        #expect(!limits.allowsReports(at: now + .seconds(4)))
        #expect(limits.allowsReports(at: now + .seconds(5)))
    }

    @Test("a 429 without limits silences all for as long as it says, or for a minute")
    func tooMany() {
        let now = FakeClock().now
        let (told, silent) = (SentryLimits(), SentryLimits())
        told.note(Self.answer(429, [("Retry-After", "7")]), at: now)
        #expect(!told.allowsReports(at: now + .seconds(6)))
        #expect(told.allowsEvents(at: now + .seconds(7)))
        silent.note(Self.answer(429), at: now)
        #expect(!silent.allowsEvents(at: now + .seconds(59)))
        #expect(silent.allowsEvents(at: now + .seconds(60)))
        silent.note(Self.answer(503), at: now + .seconds(60))
        #expect(silent.allowsEvents(at: now + .seconds(60)))
    }
}

@Suite("Addresses that reports go to")
struct ReportURLTests {
    @Test(
        "a URL has a host, perhaps a port and a path, and nothing else",
        arguments: [
            ("http://localhost", "http://localhost"), ("http://a:4318/", "http://a:4318"),
            ("https://a/x/y/", "https://a/x/y"), ("https://a:443", "https://a"),
            ("http://[::1]:4318", "http://[::1]:4318"), ("http://[::1]", "http://[::1]"),
            ("a:4318", nil), ("ftp://a", nil), ("http://", nil), ("http://a:0", nil),
            ("http://a:x", nil), ("http://a?b", nil), ("http://a@b", nil), ("http://a b", nil),
            ("http://ä", nil), ("http://a#b", nil),
        ] as [(String, String?)])
    func urls(_ text: String, _ expected: String?) {
        #expect(ReportURL(text)?.description == expected)
    }

    @Test("a DSN names a key, a host and a project")
    func dsn() throws {
        let dsn = try #require(SentryDSN("https://abc123@o1.ingest.example.com/42"))
        #expect(dsn.url.description == "https://o1.ingest.example.com/api/42/envelope/")
        #expect(dsn.key == Secret("abc123"))
        let behindPath = SentryDSN("http://abc:old@127.0.0.1:9000/sentry/7")
        #expect(behindPath?.url.description == "http://127.0.0.1:9000/sentry/api/7/envelope/")
        #expect(behindPath?.key == Secret("abc"))
        for wrong in ["https://host/1", "https://k@host", "https://k@host/", "k@h/1", ""] {
            #expect(SentryDSN(wrong) == nil, "\(wrong)")
        }
    }
}
