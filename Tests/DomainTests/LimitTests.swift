import Domain
import Testing

@Suite("Limit")
struct LimitTests {
    private func read(_ text: String) throws -> Limits {
        try Limits(json: JSONParser.parse(Array(text.utf8)))
    }

    private func errors(_ text: String) throws -> [String] {
        let json = try JSONParser.parse(Array(text.utf8))
        do throws(Problem) {
            _ = try Limits(json: json)
            return []
        } catch {
            #expect(error.code == .validationFailed)
            return error.errors.map { "\($0.field) \($0.code)" }
        }
    }

    @Test(
        "Each row of the grammar is read",
        arguments: [
            ("requests_per_second", .rate(metric: "requests", per: .second)),
            ("requests_per_minute", .rate(metric: "requests", per: .minute)),
            ("requests_burst", .burst(metric: "requests")),
            ("requests_per_hour", .quota(metric: "requests", window: .hour)),
            ("requests_per_day", .quota(metric: "requests", window: .day)),
            ("requests_per_month", .quota(metric: "requests", window: .month)),
            ("concurrent_jobs", .concurrency(resource: "jobs")),
            ("max_items", .stock(resource: "items")),
            ("api_calls2_per_day", .quota(metric: "api_calls2", window: .day)),
            ("max_team_members", .stock(resource: "team_members")),
        ] as [(String, Limit.Kind)])
    func kinds(name: String, kind: Limit.Kind) {
        #expect(Limit.Kind(name: name) == kind)
    }

    @Test(
        "A name that fits no row, or two, is none",
        arguments: [
            "", "requests", "requests_per_year", "requests_per_week", "per_day", "_per_day", "max_",
            "max", "concurrent_", "_burst", "burst", "Requests_per_day", "requests_per_Day",
            "requests-per-day", "requests__per_day", "_requests_per_day", "2fa_per_day",
            "a b_per_day", "é_per_day", "max_2", "max_a__b", "max_a_", "requests_per_day ",
            "max_items_per_day", "max_items_burst", "concurrent_jobs_per_second",
            "concurrent_jobs_burst", "max_items_per_minute",
        ])
    func noKind(name: String) {
        #expect(Limit.Kind(name: name) == nil)
    }

    @Test("A word of 40 characters is the longest")
    func longWords() {
        let word = String(repeating: "a", count: 40)
        #expect(Limit.Kind(name: "\(word)_per_day") != nil)
        #expect(Limit.Kind(name: "a\(word)_per_day") == nil)
        #expect(Limit.Kind(name: "max_\(word)") != nil)
        #expect(Limit.Kind(name: "max_a\(word)") == nil)
    }

    @Test("A limit is an integer, null, or an object with overage")
    func values() throws {
        let limits = try read(
            """
            {"requests_per_month":10000,"requests_per_day":null,"max_items":0,
             "mails_per_day":{"limit":5,"overage":"allow"},
             "mails_per_hour":{"limit":1,"overage":"deny"},"mails_per_month":{"limit":9}}
            """)
        #expect(
            limits.all.map(\.name) == [
                "mails_per_day", "mails_per_hour", "mails_per_month", "max_items",
                "requests_per_day", "requests_per_month",
            ])
        #expect(limits.all.map(\.bound) == [5, 1, 9, 0, nil, 10_000])
        #expect(limits.all.map(\.allowsOverage) == [true, false, false, false, false, false])
    }

    @Test(
        "Each value that is none is refused, with the limit's name",
        arguments: [
            (#"{"max_items":-1}"#, "limits.max_items out_of_range"),
            (#"{"max_items":9007199254740993}"#, "limits.max_items out_of_range"),
            (#"{"max_items":1.5}"#, "limits.max_items type"),
            (#"{"max_items":"5"}"#, "limits.max_items type"),
            (#"{"max_items":true}"#, "limits.max_items type"),
            (#"{"max_items":[]}"#, "limits.max_items type"),
            (#"{"max_items":{}}"#, "limits.max_items invalid"),
            (#"{"a_per_day":{"overage":"allow"}}"#, "limits.a_per_day invalid"),
            (#"{"a_per_day":{"limit":1,"overage":"maybe"}}"#, "limits.a_per_day invalid"),
            (#"{"a_per_day":{"limit":1,"overage":true}}"#, "limits.a_per_day invalid"),
            (#"{"a_per_day":{"limit":1,"over":1}}"#, "limits.a_per_day invalid"),
            (#"{"a_per_day":{"limit":{"limit":1}}}"#, "limits.a_per_day type"),
            (#"{"a_per_second":{"limit":1,"overage":"allow"}}"#, "limits.a_per_second invalid"),
            (#"{"max_a":{"limit":1,"overage":"allow"}}"#, "limits.max_a invalid"),
            (#"{"concurrent_a":{"limit":1,"overage":"allow"}}"#, "limits.concurrent_a invalid"),
            (#"{"nonsense":1}"#, "limits.nonsense unknown_limit"),
            (#"{"max_items_per_day":1}"#, "limits.max_items_per_day unknown_limit"),
            (#"{"requests_burst":1}"#, "limits.requests_burst invalid"),
            (#"{"requests_burst":1,"requests_per_day":1}"#, "limits.requests_burst invalid"),
            (#"{"a_burst":1,"b_per_second":1}"#, "limits.a_burst invalid"),
            ("[]", "limits type"), ("null", "limits type"), ("5", "limits type"),
        ])
    func refusals(text: String, expected: String) throws {
        #expect(try errors(text) == [expected])
    }

    @Test("A burst is read beside a rate of its metric, of a second or a minute")
    func bursts() throws {
        #expect(try errors(#"{"a_burst":5,"a_per_second":1}"#) == [])
        #expect(try errors(#"{"a_burst":5,"a_per_minute":1}"#) == [])
    }

    @Test("Every wrong name and value is told at once")
    func allErrors() throws {
        let found = try errors(#"{"x":1,"max_items":-1,"requests_per_day":1,"a_burst":2}"#)
        #expect(
            Set(found) == [
                "limits.x unknown_limit", "limits.max_items out_of_range", "limits.a_burst invalid",
            ])
    }

    @Test("The largest bound is 2^53, and 64 limits are the most")
    func bounds() throws {
        #expect(try read(#"{"max_items":9007199254740992}"#).all.map(\.bound) == [1 << 53])
        func many(_ count: Int) -> String {
            "{" + (0..<count).map { "\"max_r\($0)\":1" }.joined(separator: ",") + "}"
        }
        #expect(try errors(many(64)) == [])
        #expect(try errors(many(65)) == ["limits too_many"])
    }

    @Test("Limits come back from their JSON")
    func roundTrip() throws {
        let limits = try read(
            #"{"b_per_day":{"limit":5,"overage":"allow"},"a_per_day":null,"a_per_second":20}"#)
        #expect(try Limits(json: limits.json) == limits)
        let sorted =
            #"{"a_per_day":null,"a_per_second":20,"b_per_day":{"limit":5,"overage":"allow"}}"#
        #expect(limits.json.encoded == sorted)
        #expect(try Limits(json: .object([])) == .none)
    }
}
