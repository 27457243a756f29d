import Domain
import Store

/// One line of a chart: every period of a span, the oldest first, 0 where nothing happened.
struct ActivitySeries: Sendable {
    let name: String
    let window: Window
    let points: [(period: String, value: Int64)]

    /// What each line adds up, of the names in `activity`.
    static let lines: [(name: String, isCounted: @Sendable (String) -> Bool)] = [
        ("requests_allowed", { $0 == Traffic.allowedName }),
        ("requests_refused", { $0.hasPrefix(Traffic.refusedPrefix) }),
        ("sign_ins", { $0 == Dashboard.signIns }),
        ("sign_ins_failed", { $0 == Dashboard.signInsFailed }),
        ("users_created", { $0 == Dashboard.usersCreated }),
    ]

    /// Two days of hours, a month of days.
    private static func count(_ window: Window) -> Int64 {
        switch window {
        case .hour: 48
        case .day: 30
        case .month: 12
        }
    }

    /// The oldest period that is shown.
    static func first(_ window: Window, at now: Timestamp) -> String {
        window.period(window.index(of: now) - count(window) + 1)
    }

    static func all(
        _ hours: [Activity.Point], _ days: [Activity.Point], at now: Timestamp
    ) -> [ActivitySeries] {
        [(Window.hour, hours), (.day, days)].flatMap { window, points in
            lines.map { line in
                var sums: [String: Int64] = [:]
                for point in points where line.isCounted(point.name) {
                    sums[point.period, default: 0] += point.value
                }
                let last = window.index(of: now)
                return ActivitySeries(
                    name: line.name, window: window,
                    points: ((last - count(window) + 1)...last).map { index in
                        let period = window.period(index)
                        return (period, sums[period] ?? 0)
                    })
            }
        }
    }

    /// Why requests were refused, the most frequent reason of the month first.
    static func refusals(
        _ days: [Activity.Point], at now: Timestamp
    ) -> [(code: String, today: Int64, days: Int64)] {
        let today = Window.day.period(Window.day.index(of: now))
        var sums: [String: (today: Int64, days: Int64)] = [:]
        for point in days where point.name.hasPrefix(Traffic.refusedPrefix) {
            let code = String(point.name.dropFirst(Traffic.refusedPrefix.count))
            sums[code, default: (0, 0)].days += point.value
            if point.period == today { sums[code, default: (0, 0)].today += point.value }
        }
        return sums.map { (code: $0, today: $1.today, days: $1.days) }
            .sorted { ($1.days, $0.code) < ($0.days, $1.code) }
    }
}
