import Domain
import Synchronization

/// The `Date` of an answer (RFC 9110, 5.6.7): `Mon, 23 Nov 2026 16:52:00 GMT`, worked out once a
/// second.
struct HTTPDate {
    private var second: Int64 = .min
    private var text = ""

    mutating func text(at now: Timestamp) -> String {
        if now.seconds != second {
            second = now.seconds
            text = "\(CalendarText.date(now)) GMT"
        }
        return text
    }
}

/// The `Date` of the answers that many tasks give.
final class HTTPDates: Sendable {
    private let date = Mutex(HTTPDate())

    func text(at now: Timestamp) -> String {
        date.withLock { $0.text(at: now) }
    }
}

/// A moment in the words that mail and HTTP share (RFC 5322, 3.3).
enum CalendarText {
    private static let days = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// `Mon, 23 Nov 2026 16:52:00`, in UTC.
    static func date(_ moment: Timestamp) -> String {
        let number = Window.day.index(of: moment)
        let civil = Civil(day: number)
        // 1970-01-01 was a Thursday.
        let weekday = days[Int((number % 7 + 7) % 7)]
        let day = (civil.day < 10 ? "0" : "") + String(civil.day)
        let time = moment.description.dropFirst(11).prefix(8)
        return "\(weekday), \(day) \(months[Int(civil.month) - 1]) \(civil.year) \(time)"
    }
}
