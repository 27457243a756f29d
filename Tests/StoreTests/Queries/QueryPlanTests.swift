import Domain
import Testing

@testable import Store

@Suite("Query plans")
struct QueryPlanTests {
    /// A costly step that is needed where it stands. One that is not needed any more is a failure.
    private struct Exception {
        let step: PlanRecorder.Step
        let because: String

        init(_ call: String, _ detail: String, because: String) {
            step = PlanRecorder.Step(call: call, detail: detail)
            self.because = because
        }
    }

    private static let exceptions =
        walks(
            [
                ("accounts.list all", "u", "id"), ("plans.list", "p", "id"),
                ("subscriptions.list all", "s", "id"), ("accounts.list by newest", "u", "id"),
                ("apiKeys.list of all", "api_keys", "id"),
                ("jobs.list all", "jobs", "id"),
            ], because: "the list itself, from its cursor to its LIMIT")
        + walks(
            [
                ("accounts.list search", "u", "id"), ("accounts.list active", "u", "id"),
                ("accounts.list plan", "u", "id"), ("subscriptions.list status", "s", "id"),
                ("apiKeys.list live", "api_keys", "id"),
            ], because: "an admin's filter without an index: reads on until the page is full")
        + [
            Exception(
                "audit.list all", "SEARCH audit_logs USING INTEGER PRIMARY KEY (rowid<?)",
                because: "the list itself, from its cursor to its LIMIT"),
            Exception(
                "audit.list time", "SEARCH audit_logs USING INTEGER PRIMARY KEY (rowid<?)",
                because: "the order is that of the sequence: reads back to the time asked for"),
            Exception(
                "audit.verify", "SEARCH audit_logs USING INTEGER PRIMARY KEY (rowid>?)",
                because: "reads the whole chain on purpose, a page at a time"),
            Exception(
                "audit.append", "SCAN audit_logs",
                because: "the last row of all: ORDER BY sequence DESC LIMIT 1 reads one"),
            Exception(
                "auditNotes.enter", "SCAN audit_logs",
                because: "the same, when it appends to the audit log"),
            Exception(
                "subscriptions.expireSubscription", "SCAN audit_logs",
                because: "the same, when it appends to the audit log"),
            Exception(
                "sessions.isKnown", "SCAN known",
                because: "a subquery that LIMIT 1 has cut to one row"),
            Exception("jobs.claim", "SCAN due", because: "what was picked: as many as workers"),
            Exception(
                "jobs.counts", "SCAN jobs USING COVERING INDEX jobs_unfinished",
                because: "counts what is not done, from an index that has nothing else"),
            Exception("jobs.prune", "SCAN schedules", because: "a handful of rows"),
            Exception("schedules.list", "SCAN s", because: "a handful of rows"),
            Exception(
                "schedules.next", "SCAN schedules USING COVERING INDEX schedules_by_next",
                because: "a handful of rows"),
            Exception("nodes.list", "SCAN nodes", because: "a handful of rows"),
            Exception("changes.reach", "SCAN CONSTANT ROW", because: "the row of both answers"),
            Exception(
                "changes.prune", "SCAN changes", because: "the first rows of all, up to a LIMIT"),
            Exception(
                "usage.top", "USE TEMP B-TREE FOR ORDER BY",
                because: "an index by value would be rewritten with every count of every second"),
        ]
        + dashboard + metrics + auditRetention + [hourAndDay]
        + ["usage.add", "usage.fold", "usageEvents.record"].flatMap { call in
            ["SCAN w", "SCAN 3 CONSTANT ROWS"].map {
                Exception(call, $0, because: "the three windows of a count")
            }
        }

    private static let dashboard = [
        ("accounts.counts", "SCAN users USING COVERING INDEX users_by_role"),
        ("accounts.counts", "SCAN users USING INDEX users_inactive"),
        (
            "subscriptions.activeByPlan",
            "SCAN subscriptions USING INDEX subscriptions_active_by_plan"
        ),
        ("subscriptions.activeByPlan", "SCAN c"),
        ("subscriptions.activeByPlan", "USE TEMP B-TREE FOR ORDER BY"),
        ("usage.top on", "USE TEMP B-TREE FOR ORDER BY"),
    ].map {
        Exception($0.0, $0.1, because: "the dashboard counts all, once in five seconds at most")
    }

    private static let metrics = [
        ("usage.activeUsers", "USE TEMP B-TREE FOR count(DISTINCT)"),
        ("usage.byPlan", "USE TEMP B-TREE FOR GROUP BY"),
    ].map {
        Exception($0.0, $0.1, because: "the metrics count a period, once in five minutes at most")
    }

    private static let hourAndDay = Exception(
        "activity.add", "SCAN 2 CONSTANT ROWS", because: "the two rows that are written")

    private static let auditRetention = [
        ("audit.firstSequence", "SCAN audit_logs"), ("audit.prune", "SCAN audit_logs"),
        ("audit.prune", "SEARCH audit_logs USING INTEGER PRIMARY KEY (rowid<?)"),
        ("audit.prune", "SEARCH audit_logs USING INTEGER PRIMARY KEY (rowid>?)"),
    ].map { Exception($0.0, $0.1, because: "the first rows of all, up to a LIMIT") }

    private static func walks(
        _ places: [(call: String, table: String, key: String)], because: String
    ) -> [Exception] {
        places.map {
            Exception(
                $0.call, "SEARCH \($0.table) USING PRIMARY KEY (\($0.key)<?)", because: because)
        }
    }

    private static func record() throws -> PlanRecorder {
        let place = try StoreFile()
        let connection = try SQLiteFile.openWriter(place.path)
        try SQLiteSchema.migrate(connection, from: 0)
        let recorder = try PlanRecorder(connection)
        try recorder.runAll()
        return recorder
    }

    @Test("No statement reads a whole table or sorts what it found, but for the exceptions")
    func costly() throws {
        let costly = Set(try Self.record().steps.filter(\.isCostly))
        let excepted = Set(Self.exceptions.map(\.step))
        for step in costly.subtracting(excepted) { Issue.record("\(step)") }
        for step in excepted.subtracting(costly) { Issue.record("not needed any more: \(step)") }
    }

    @Test("Every index of the schema is used by some statement")
    func indexes() throws {
        let place = try StoreFile()
        try place.create()
        let reader = try SQLiteFile.openReader(place.path)
        let names = try reader.rows(
            "SELECT name FROM sqlite_schema WHERE type = 'index' AND sql NOT NULL"
        ) { row throws(Problem) in try row.text() }
        let words = Set(try Self.record().steps.flatMap { $0.detail.split(separator: " ") })
        #expect(names.filter { !words.contains($0[...]) } == [])
        #expect(names.count > 20)
    }

    @Test("Every statement that finds rows has a plan that is looked at")
    func recorded() throws {
        let recorder = try Self.record()
        #expect(recorder.statements.count > 100)
        #expect(recorder.steps.count > recorder.statements.count / 2)
        let cascades = recorder.steps.filter { $0.call == "accounts.delete" }.map(\.detail)
        for index in ["refresh_tokens_by_user", "leases_by_user", "reservations_by_user"] {
            #expect(cascades.contains { $0.contains(index) }, "\(index)")
        }
        #expect(cascades.contains("SEARCH usage_events USING PRIMARY KEY (user_id=?)"))
    }

    @Test(
        "Every method of the nouns is called",
        arguments: [
            ("accounts", "Accounts"), ("sessions", "Sessions"), ("apiKeys", "APIKeys"),
            ("plans", "Plans"), ("subscriptions", "Subscriptions"),
            ("subscriptions", "Subscriptions+Changes"), ("items", "Items"),
            ("usage", "UsageCounters"), ("usageEvents", "UsageEvents"),
            ("leases", "Leases"), ("reservations", "Reservations"),
            ("idempotencyKeys", "IdempotencyKeys"), ("rateStates", "RateStates"),
            ("oneTimeTokens", "OneTimeTokens"), ("audit", "AuditLog"), ("audit", "AuditWalk"),
            ("activity", "Activity"), ("installation", "Installation"),
            ("auditNotes", "AuditNotes"), ("jobs", "Jobs"), ("schedules", "Schedules"),
            ("nodes", "Nodes"), ("changes", "Changes"),
        ])
    func complete(noun: String, file: String) throws {
        let root = #filePath.split(separator: "/").dropLast(4).joined(separator: "/")
        let source = TestFile(path: "/\(root)/Sources/Store/\(file).swift")
        let methods = try source.lines().compactMap { line in
            line.firstMatch(of: #/^\s*package func (\w+)/#).map { String($0.1) }
        }
        #expect(!methods.isEmpty)
        let called = Set(QueryCalls().all.map { $0.name.prefix { $0 != " " } })
        for method in methods { #expect(called.contains("\(noun).\(method)"), "\(method)") }
    }
}

extension PlanRecorder.Step {
    /// A table or an index that is read from end to end, or a sort that no index spares. The bound
    /// of a page (`id < cursor`) lets a plan call the walk over a whole table a search.
    fileprivate var isCostly: Bool {
        detail.hasPrefix("SCAN ") || detail.contains("TEMP B-TREE")
            || detail.hasSuffix("PRIMARY KEY (id<?)")
            || detail.hasSuffix("PRIMARY KEY (rowid<?)")
            || detail.hasSuffix("PRIMARY KEY (rowid>?)")
    }
}
