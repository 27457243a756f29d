import Domain
import HTTPTypes
import Store

extension Appliance {
    var usageRoutes: [Route] {
        [
            Route(.get, "/api/v1/usage", .scope(.usageRead)) { call throws(Problem) in
                let report = try await self.gatekeeper.report(
                    try call.signedIn().userID, at: call.now)
                return .json { $0.usageReport(report) }
            },
            Route(.get, "/api/v1/usage/history", .scope(.usageRead)) { call throws(Problem) in
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
        // What is counted and not folded in yet belongs to the newest period.
        try await checkpoint()
        let points = try await store.read { db throws(Problem) in
            try db.usage.history(
                of: user, metric: metric, window: window, from: window.period(first),
                to: window.period(last))
        }
        if try call.wantsCSV() {
            return CSV.answer(
                name: "gatehouse-\(metric)-by-\(window.rawValue)", columns: ["period", "value"],
                points.map { [$0.period, String($0.value)] })
        }
        return .json { json in
            json.object { json in
                json.member("items") { json in
                    json.array(points) { json, point in
                        json.object { json in
                            json.member("period", point.period)
                            json.member("value", point.value)
                        }
                    }
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

extension JSONWriter {
    /// `UsageReport`.
    mutating func usageReport(_ report: UsageReport) {
        object { json in
            json.member("plan", report.plan)
            json.member("period", report.period)
            json.member("metrics") { json in
                json.array(report.metrics) { json, metric in
                    json.object { json in
                        json.member("metric", metric.metric)
                        json.member("period", metric.window.rawValue)
                        json.member("used", metric.used)
                        json.member("limit", metric.limit)
                        json.member("remaining", metric.remaining)
                        json.member("overage", metric.overage)
                        json.member("resets_at", metric.resetsAt)
                    }
                }
            }
            json.member("rates") { json in
                json.array(report.rates) { json, rate in
                    json.object { json in
                        json.member("metric", rate.metric)
                        json.member("per", rate.per.rawValue)
                        json.member("limit", rate.limit)
                        json.member("burst", rate.burst)
                    }
                }
            }
            json.member("concurrency") { $0.holdings(report.concurrency, count: "in_use") }
            json.member("stocks") { $0.holdings(report.stocks, count: "used") }
        }
    }

    private mutating func holdings(_ holdings: [UsageReport.Holding], count: String) {
        array(holdings) { json, holding in
            json.object { json in
                json.member("resource", holding.resource)
                json.member(count, holding.count)
                json.member("limit", holding.limit)
            }
        }
    }
}
