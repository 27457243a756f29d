import Domain
import HTTPTypes
import Store

extension Appliance {
    var usageRoutes: [Route] {
        [
            Route(.get, "/api/v1/usage", .scope(.usageRead), .showUsage) { call throws(Problem) in
                let report = try await self.gatekeeper.report(
                    try call.signedIn().userID, at: call.now)
                return .json { $0.usageReport(report) }
            },
            Route(.get, "/api/v1/usage/history", .scope(.usageRead), .showUsageHistory) {
                call throws(Problem) in
                try await self.usageHistory(of: try call.signedIn().userID, call)
            },
        ]
    }

    /// Points of one answer: a year of days, six weeks of hours.
    private static let pointsMax: Int64 = 1000

    func usageHistory(of user: UserID, _ call: Call) async throws(Problem) -> Answer {
        let window = try call.queryChoice("granularity", Window.self) ?? .day
        let metric = try GateQuery.metric(call.query("metric"))
        let last = try Self.index("to", call, window) ?? window.index(of: call.now)
        let first = try Self.index("from", call, window) ?? last - Self.pointsShown(window) + 1
        // Periods are counted from 1970; what lies before it has no number that could be written.
        guard first >= 0, first <= last, last - first < Self.pointsMax else {
            throw .invalid(
                "from", "out_of_range",
                "From 1970 on, before to, and at most \(Self.pointsMax) periods.")
        }
        // Added rather than folded first: for that, all customers' counts would have to be.
        let unfolded = gatekeeper.unfolded(user)
        let node = countsOwner
        let points = try await store.read { db throws(Problem) in
            try db.usage.history(
                of: user, metric: metric, window: window, from: window.period(first),
                to: window.period(last), unfolded: unfolded, node: node)
        }
        if try call.wantsCSV() {
            return CSV.answer(
                name: "gatehouse-\(metric)-by-\(window.rawValue)", columns: ["period", "value"],
                points.map { [$0.period, String($0.value)] })
        }
        return .json { json in
            json.object { json in
                json.member("items") { json in
                    json.array(points) { $0.write(($1.period, $1.value), as: Shapes.usagePoint) }
                }
            }
        }
    }

    private static func pointsShown(_ window: Window) -> Int64 {
        switch window {
        case .hour: 48
        case .day: 31
        case .month: 12
        }
    }

    /// `from` and `to` are periods of the granularity, or times within them.
    private static func index(
        _ name: String, _ call: Call, _ window: Window
    ) throws(Problem) -> Int64? {
        guard let text = call.query(name) else { return nil }
        if let index = window.index(period: text) { return index }
        if let moment = Timestamp(text) { return window.index(of: moment) }
        for coarser in Window.allCases {
            guard let index = coarser.index(period: text) else { continue }
            let moment = name == "from" ? coarser.start(of: index) : coarser.end(of: index)
            return window.index(of: name == "from" ? moment : moment - .milliseconds(1))
        }
        throw .invalid(
            name, "invalid", "Expected a period such as \(window.period(0)), or a time.")
    }
}

extension Shapes {
    static let usageReport = Shape<UsageReport>(
        "UsageReport",
        [
            .member("plan", .slug) { $0.plan },
            .member("period", .period) { $0.period },
            .list("metrics", metricUse) { $0.metrics },
            .list("rates", rate) { $0.rates },
            .list("concurrency", concurrency) { $0.concurrency },
            .list("stocks", stock) { $0.stocks },
        ])

    private static let metricUse = Shape<UsageReport.Metric>(
        "MetricUse",
        [
            .member("metric", .metric) { $0.metric },
            .member("period") { $0.window },
            .member("used") { $0.used },
            .member("limit", .integer(example: 10_000)) { $0.limit },
            .member("remaining", .integer(example: 9999)) { $0.remaining },
            .member("overage", .integer(example: 0)) { $0.overage },
            .member("resets_at") { $0.resetsAt },
        ])

    private static let rate = Shape<UsageReport.Rate>(
        "Rate",
        [
            .member("metric", .metric) { $0.metric },
            .member("per") { $0.per },
            .member("limit", .integer(example: 20)) { $0.limit },
            .member("burst", .integer(example: 20)) { $0.burst },
        ])

    private static let concurrency = holding("Concurrency", count: "in_use")
    private static let stock = holding("Stock", count: "used")

    private static func holding(_ name: String, count: String) -> Shape<UsageReport.Holding> {
        Shape(
            name,
            [
                .member("resource", .resource) { $0.resource },
                .member(count) { $0.count },
                .member("limit", .integer(example: 3)) { $0.limit },
            ])
    }

    static let usagePoint = Shape<(period: String, value: Int64)>(
        "UsagePoint",
        [.member("period", .period) { $0.period }, .member("value") { $0.value }])
}

extension JSONWriter {
    /// `UsageReport`.
    mutating func usageReport(_ report: UsageReport) { write(report, as: Shapes.usageReport) }
}
