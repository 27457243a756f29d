import Domain
import HTTPTypes
import Store
import Synchronization

/// The numbers that the console opens with, kept for a few seconds: a room full of open consoles
/// costs the store as much as one.
final class Dashboard: Sendable {
    // What `activity` counts beside `Traffic`.
    static let signIns = "sign_ins"
    static let signInsFailed = "sign_ins_failed"
    static let usersCreated = "users_created"

    private static let freshness: Duration = .seconds(5)

    private let known = Mutex<(at: Timestamp, encoded: [UInt8])?>(nil)
    private let turnstile = Turnstile()

    /// The answer from up to 5 s ago, or a new one that is made by one caller at a time.
    func encoded(
        at now: Timestamp, _ make: () async throws(Problem) -> [UInt8]
    ) async throws(Problem) -> [UInt8] {
        if let known = fresh(at: now) { return known }
        return try await turnstile.pass { () throws(Problem) in
            if let known = self.fresh(at: now) { return known }
            let made = try await make()
            self.known.withLock { $0 = (now, made) }
            return made
        }
    }

    /// A clock that was turned back makes nothing old stay.
    private func fresh(at now: Timestamp) -> [UInt8]? {
        known.withLock { known in
            guard let known else { return nil }
            let age = now - known.at
            return age < Self.freshness && age > .zero - Self.freshness ? known.encoded : nil
        }
    }
}

extension Appliance {
    var dashboardRoutes: [Route] {
        [
            Route(.get, "/api/v1/admin/stats", .adminRead, .showStats) { call throws(Problem) in
                let now = call.now
                let encoded = try await self.dashboard.encoded(at: now) { () throws(Problem) in
                    let numbers = try await self.dashboardNumbers(at: now)
                    var json = JSONWriter(capacity: 32_768)
                    json.write(numbers, as: Shapes.dashboard)
                    return json.bytes
                }
                return .json(encoded: encoded)
            }
        ]
    }

    private static let topUsers = 10

    private func dashboardNumbers(at now: Timestamp) async throws(Problem) -> DashboardNumbers {
        try await checkpoint()
        let month = Window.month.period(Window.month.index(of: now))
        let (hour, day) = (
            ActivitySeries.first(.hour, at: now), ActivitySeries.first(.day, at: now)
        )
        var numbers = try await store.read { db throws(Problem) in
            DashboardNumbers(
                at: now, users: try db.accounts.counts(),
                subscriptions: try db.subscriptions.activeByPlan(),
                hours: try db.activity.points(.hour, from: hour),
                days: try db.activity.points(.day, from: day), month: month,
                used: try db.usage.total(
                    metric: Demand.requests, window: .month, period: month),
                top: try db.usage.top(
                    metric: Demand.requests, window: .month, period: month, limit: Self.topUsers),
                jobs: try db.jobs.counts(),
                drill: DrillLog.read(try db.installation.value(DrillLog.name)).first)
        }
        numbers.storeBytes = SafeFile.size(configuration.storeFile)
        numbers.walBytes = SafeFile.size(configuration.storeFile + "-wal")
        numbers.backupAt = BackupCheck.newest(in: configuration.backupDirectory)
            .flatMap { SafeFile.modifiedAt($0) }
        return numbers
    }
}

/// What one answer is made of.
struct DashboardNumbers: Sendable {
    let at: Timestamp
    let users: Accounts.Counts
    let subscriptions: [(plan: String, count: Int64)]
    let hours: [Activity.Point]
    let days: [Activity.Point]
    let month: String
    let used: Int64
    let top: [UsageCounters.Consumer]
    /// Without those that are done.
    let jobs: [Jobs.Count]
    let drill: DrillResult?
    var storeBytes: Int64 = 0
    var walBytes: Int64 = 0
    var backupAt: Timestamp?

    var backupAgeSeconds: Int64? {
        backupAt.map { max(0, (at - $0).wholeMilliseconds / 1000) }
    }

    func today(_ isCounted: (String) -> Bool) -> Int64 {
        let today = Window.day.period(Window.day.index(of: at))
        return days.reduce(0) { sum, point in
            point.period == today && isCounted(point.name) ? sum + point.value : sum
        }
    }
}

extension Shapes {
    static let dashboard = Shape<DashboardNumbers>(
        "Stats",
        [
            .member("at") { $0.at },
            .object("totals", totals) { $0 },
            .list("series", series) { ActivitySeries.all($0.hours, $0.days, at: $0.at) },
            .list("refusals", refusal) { ActivitySeries.refusals($0.days, at: $0.at) },
            .list("subscriptions", planCount) { $0.subscriptions },
            .list("top_users", topUser) { $0.top },
        ])

    private static let totals = Shape<DashboardNumbers>("StatsTotals", people + work)

    private static let people: [Shape<DashboardNumbers>.Member] =
        [
            .member("users") { $0.users.total },
            .member("users_active") { $0.users.total - $0.users.inactive },
        ]
        + Account.Role.allCases.map { role in
            .member("users_\(role.rawValue)") { $0.users.byRole[role] ?? 0 }
        }
        + ActivitySeries.lines.map { line in
            .member("\(line.name)_today") { $0.today(line.isCounted) }
        }

    private static let work: [Shape<DashboardNumbers>.Member] =
        [
            .member("month", .period) { $0.month },
            .member("requests_month") { $0.used },
            .member("subscriptions_active") { $0.subscriptions.reduce(0) { $0 + $1.count } },
            .member("store_bytes") { $0.storeBytes },
            .member("store_wal_bytes") { $0.walBytes },
            .member("backup_at") { $0.backupAt },
            .member("backup_age_seconds") { $0.backupAgeSeconds },
            .member("drill_at") { $0.drill?.at },
            .member("drill_ok") { numbers in numbers.drill.map { $0.failure == nil } },
        ]
        + [Job.State.queued, .running, .dead].map { state in
            .member("jobs_\(state.rawValue)") { numbers in
                numbers.jobs.reduce(0) { $1.state == state ? $0 + $1.count : $0 }
            }
        }

    private static let series = Shape<ActivitySeries>(
        "Series",
        [
            .member("name", .words(ActivitySeries.lines.map(\.name))) { $0.name },
            .member("granularity") { $0.window },
            .list("points", usagePoint) { $0.points },
        ])

    private static let refusal = Shape<(code: String, today: Int64, days: Int64)>(
        "RefusalCount",
        [
            .member("code", .words(Problem.Code.self)) { $0.code },
            .member("today") { $0.today },
            .member("days_30") { $0.days },
        ])

    private static let planCount = Shape<(plan: String, count: Int64)>(
        "PlanCount", [.member("plan", .slug) { $0.plan }, .member("active") { $0.count }])

    private static let topUser = Shape<UsageCounters.Consumer>(
        "TopUser",
        [
            .member("user_id") { $0.user },
            .member("email", .email) { $0.email },
            .member("requests") { $0.value },
        ])
}
