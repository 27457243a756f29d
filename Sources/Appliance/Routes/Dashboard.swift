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
            Route(.get, "/api/v1/admin/stats", .adminRead) { call throws(Problem) in
                let now = call.now
                let encoded = try await self.dashboard.encoded(at: now) { () throws(Problem) in
                    let numbers = try await self.dashboardNumbers(at: now)
                    var json = JSONWriter(capacity: 32_768)
                    json.dashboard(numbers, at: now)
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
                users: try db.accounts.counts(), subscriptions: try db.subscriptions.activeByPlan(),
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
private struct DashboardNumbers: Sendable {
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

    func today(at now: Timestamp, _ isCounted: (String) -> Bool) -> Int64 {
        let today = Window.day.period(Window.day.index(of: now))
        return days.reduce(0) { sum, point in
            point.period == today && isCounted(point.name) ? sum + point.value : sum
        }
    }
}

extension JSONWriter {
    fileprivate mutating func dashboard(_ numbers: DashboardNumbers, at now: Timestamp) {
        object { json in
            json.member("at", now)
            json.member("totals") { $0.totals(numbers, at: now) }
            json.member("series") { json in
                json.array(ActivitySeries.all(numbers.hours, numbers.days, at: now)) {
                    $1.write(into: &$0)
                }
            }
            json.member("refusals") { json in
                json.array(ActivitySeries.refusals(numbers.days, at: now)) { json, refusal in
                    json.object { json in
                        json.member("code", refusal.code)
                        json.member("today", refusal.today)
                        json.member("days_30", refusal.days)
                    }
                }
            }
            json.member("subscriptions") { json in
                json.array(numbers.subscriptions) { json, plan in
                    json.object { json in
                        json.member("plan", plan.plan)
                        json.member("active", plan.count)
                    }
                }
            }
            json.member("top_users") { json in
                json.array(numbers.top) { json, user in
                    json.object { json in
                        json.member("user_id", user.user)
                        json.member("email", user.email)
                        json.member("requests", user.value)
                    }
                }
            }
        }
    }

    private mutating func totals(_ numbers: DashboardNumbers, at now: Timestamp) {
        let users = numbers.users
        object { json in
            json.member("users", users.total)
            json.member("users_active", users.total - users.inactive)
            for role in Account.Role.allCases {
                json.member("users_\(role.rawValue)", users.byRole[role] ?? 0)
            }
            for line in ActivitySeries.lines {
                json.member("\(line.name)_today", numbers.today(at: now, line.isCounted))
            }
            json.member("month", numbers.month)
            json.member("requests_month", numbers.used)
            json.member(
                "subscriptions_active", numbers.subscriptions.reduce(0) { $0 + $1.count })
            json.member("store_bytes", numbers.storeBytes)
            json.member("store_wal_bytes", numbers.walBytes)
            json.member("backup_at", numbers.backupAt)
            json.member(
                "backup_age_seconds",
                numbers.backupAt.map { max(0, (now - $0).wholeMilliseconds / 1000) })
            json.member("drill_at", numbers.drill?.at)
            json.member("drill_ok") { json in
                guard let drill = numbers.drill else { return json.null() }
                json.bool(drill.failure == nil)
            }
            for state in [Job.State.queued, .running, .dead] {
                json.member(
                    "jobs_\(state.rawValue)",
                    numbers.jobs.reduce(0) { $1.state == state ? $0 + $1.count : $0 })
            }
        }
    }
}
