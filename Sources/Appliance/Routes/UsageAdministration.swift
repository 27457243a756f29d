import Domain
import HTTPTypes
import Store

extension Appliance {
    var adminUsageRoutes: [Route] {
        [
            Route(.get, "/api/v1/admin/usage", .adminRead, .listUsage) { call throws(Problem) in
                let text =
                    call.query("period") ?? Window.month.period(Window.month.index(of: call.now))
                guard let window = Window.allCases.first(where: { $0.index(period: text) != nil })
                else {
                    throw .invalid("period", "invalid", "Expected a period such as 2026-11.")
                }
                try await self.checkpoint()
                if let user = try call.queryUser() {
                    return try await self.usage(of: user, window, text, call)
                }
                return try await self.usageOfAll(window, text, call)
            }
        ]
    }

    private static let usageColumns = ["user_id", "email", "metric", "value"]
    private static let usageFilters = ["metric", "period", "user_id", "sort"]

    /// Each of a customer's metrics; they have few (`Demand.metricsMax`), so all are read.
    private func usage(
        of user: UserID, _ window: Window, _ period: String, _ call: Call
    ) async throws(Problem) -> Answer {
        let metric = call.query("metric") == nil ? nil : try GateQuery.metric(call.query("metric"))
        guard try await authenticator.account(user) != nil else {
            throw .invalid("user_id", "unknown_user", "There is no such user.")
        }
        let listing = Listing<UsageCounters.Consumer>(
            name: "usage-\(period)", filters: Self.usageFilters, columns: Self.usageColumns,
            write: { $0.consumer($1) }, position: { $0.metric },
            read: { db, page throws(Problem) in
                let found = try db.usage.metrics(
                    of: user, metric: metric, window: window, period: period)
                return Array(found.filter { $0.metric > page.before ?? "" }.prefix(page.limit))
            },
            head: { json in
                json.member("metric", metric)
                json.member("period", period)
            })
        return try await answer(listing, to: call)
    }

    /// What a list of everybody's use runs by. A count that changes between two pages moves its
    /// customer; ids do not move, so an export runs by them.
    private enum UsageOrder: String, CaseIterable {
        case most = "-value"
        case user = "user_id"
    }

    private func usageOfAll(
        _ window: Window, _ period: String, _ call: Call
    ) async throws(Problem) -> Answer {
        let metric = try GateQuery.metric(call.query("metric"))
        // Also where a file is asked for without a word about its order.
        let isExport = try call.wantsCSV() && call.query("limit") == nil
        let asked = try call.queryChoice("sort", UsageOrder.self)
        let order = asked ?? (isExport ? .user : .most)
        let total = try await store.read { db throws(Problem) in
            try db.usage.total(metric: metric, window: window, period: period)
        }
        let listing = Listing<UsageCounters.Consumer>(
            name: "usage-\(metric)-\(period)", filters: Self.usageFilters,
            columns: Self.usageColumns, write: { $0.consumer($1) },
            position: { order == .user ? "\($0.user)" : "\($0.value) \($0.user)" },
            read: { db, page throws(Problem) in
                switch order {
                case .user:
                    try db.usage.all(
                        metric: metric, window: window, period: period, after: page.before,
                        limit: page.limit)
                case .most:
                    try db.usage.top(
                        metric: metric, window: window, period: period,
                        after: page.before.map(Self.consumer), limit: page.limit)
                }
            },
            head: { json in
                json.member("metric", metric)
                json.member("period", period)
                json.member("total", total)
            })
        return try await answer(listing, to: call)
    }

    private static func consumer(_ position: String) -> (value: Int64, user: String) {
        let parts = position.split(separator: " ")
        return (parts.first.flatMap { Int64($0) } ?? 0, parts.last.map(String.init) ?? "")
    }
}

extension Shapes {
    static let consumer = Shape<UsageCounters.Consumer>(
        "CustomerUse",
        [
            .member("user_id") { $0.user },
            .member("email", .email) { $0.email },
            .member("metric", .metric) { $0.metric },
            .member("value") { $0.value },
        ])
}

extension JSONWriter {
    fileprivate mutating func consumer(_ consumer: UsageCounters.Consumer) {
        write(consumer, as: Shapes.consumer)
    }
}
