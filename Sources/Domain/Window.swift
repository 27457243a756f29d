/// The calendar windows that quotas and usage are counted in, all in UTC.
package enum Window: String, CaseIterable, Sendable {
    // The longest first: the order in which a usage report lists them.
    case month, day, hour

    /// The number of the window that holds `moment`, counted from 1970; one higher is the next one.
    package func index(of moment: Timestamp) -> Int64 {
        switch self {
        case .hour: return Civil.floor(moment.milliseconds, 3_600_000)
        case .day: return Civil.floor(moment.milliseconds, Civil.millisecondsPerDay)
        case .month:
            let civil = Civil(day: Civil.floor(moment.milliseconds, Civil.millisecondsPerDay))
            return (civil.year - 1970) * 12 + civil.month - 1
        }
    }

    /// The first moment of the window with that number.
    package func start(of index: Int64) -> Timestamp {
        switch self {
        case .hour: return Timestamp(milliseconds: index * 3_600_000)
        case .day: return Timestamp(milliseconds: index * Civil.millisecondsPerDay)
        case .month:
            let year = Civil.floor(index, 12)
            let first = Civil(year: year + 1970, month: index - year * 12 + 1, day: 1)
            let days = first?.daysSinceEpoch ?? 0
            return Timestamp(milliseconds: days * Civil.millisecondsPerDay)
        }
    }

    /// The first moment after the window with that number.
    package func end(of index: Int64) -> Timestamp { start(of: index + 1) }

    /// How a period is written: `2026-11`, `2026-11-23` or `2026-11-23T16`.
    package func period(_ index: Int64) -> String {
        let text = start(of: index).description
        return String(text.prefix(periodLength))
    }

    /// The number of the window that a period's text names, or nil.
    package func index(period text: String) -> Int64? {
        guard text.utf8.count == periodLength else { return nil }
        let rest = String("0000-01-01T00:00:00.000Z".dropFirst(periodLength))
        return Timestamp(text + rest).map { index(of: $0) }
    }

    private var periodLength: Int {
        switch self {
        case .month: 7
        case .day: 10
        case .hour: 13
        }
    }
}
