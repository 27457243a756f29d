/// When something is done again and again, as a pure rule over UTC: `30 3 * * *` or `@every 15m`.
///
/// The five fields are those of cron (POSIX crontab, with the steps and names that every cron of
/// today has): minute, hour, day of the month, month, day of the week. Where both days are given,
/// either is enough, by the same rule. UTC has no summer time, so no moment is skipped or doubled.
/// `@every` counts from 1970-01-01T00:00:00Z, so the moments of a rule do not hang on when the
/// process began.
package struct Schedule: Equatable, Sendable {
    private enum Rule: Equatable {
        /// Milliseconds.
        case every(Int64)
        case calendar(Fields)
    }

    private let rule: Rule
    /// As it was written, its parts with one space between them.
    package let text: String

    package struct Failure: Error, Equatable, Sendable {
        package let reason: String
    }

    /// The first moment after `moment`; nil when there is none before the year 10000.
    package func next(after moment: Timestamp) -> Timestamp? {
        switch rule {
        case .every(let span):
            let next = (Civil.floor(moment.milliseconds, span) + 1) * span
            let isSayable = Civil(day: Civil.floor(next, Civil.millisecondsPerDay)).year <= 9999
            return isSayable ? Timestamp(milliseconds: next) : nil
        case .calendar(let fields): return fields.next(after: moment)
        }
    }
}

// MARK: Reading

extension Schedule {
    /// Milliseconds, from a second to a year: finer is a loop, and coarser is a date.
    private static let everyRange: ClosedRange<Int64> = 1000...366 * 86_400_000

    package init(_ text: String) throws(Failure) {
        let parts = text.split(separator: " ").map(String.init)
        self.text = parts.joined(separator: " ")
        if parts.first == "@every" {
            rule = .every(try Self.span(parts))
        } else {
            rule = .calendar(try Fields(parts))
        }
    }

    package static func isValid(_ text: String) -> Bool {
        do throws(Failure) {
            _ = try Schedule(text)
            return true
        } catch {
            return false
        }
    }

    private static func span(_ parts: [String]) throws(Failure) -> Int64 {
        let units: [Character: Int64] = [
            "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000,
        ]
        guard parts.count == 2, let unit = parts[1].last.flatMap({ units[$0] }),
            let count = Fields.number(parts[1].dropLast()),
            everyRange.contains(Int64(count) * unit)
        else {
            throw Failure(reason: "@every takes a duration from 1s to 366d, such as @every 15m")
        }
        return Int64(count) * unit
    }

    /// What the five fields allow: bit n of each is set where n matches.
    fileprivate struct Fields: Equatable {
        let minutes: UInt64
        let hours: UInt64
        let days: UInt64
        let months: UInt64
        /// 0 is Sunday.
        let weekdays: UInt64
        /// A day that begins with `*` asks for nothing by itself.
        let anyDay: Bool
        let anyWeekday: Bool
    }
}

extension Schedule.Fields {
    /// One of the five fields: its name, the numbers it may have, and names that stand for them.
    private struct Field {
        let name: String
        let range: ClosedRange<Int>
        var names: [String] = []

        /// The last of what `*` stands for: 7 is Sunday again, and a step would count it twice.
        var last: Int { range.upperBound == 7 ? 6 : range.upperBound }
    }

    private static let fields = [
        Field(name: "minute", range: 0...59),
        Field(name: "hour", range: 0...23),
        Field(name: "day of the month", range: 1...31),
        Field(
            name: "month", range: 1...12,
            names: [
                "", "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov",
                "dec",
            ]),
        Field(
            name: "day of the week", range: 0...7,
            names: ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]),
    ]

    fileprivate init(_ parts: [String]) throws(Schedule.Failure) {
        guard parts.count == 5 else {
            throw Schedule.Failure(
                reason: "expected five fields (minute hour day month weekday, in UTC) "
                    + "or @every and a duration")
        }
        var masks: [UInt64] = []
        for (field, part) in zip(Self.fields, parts) { masks.append(try Self.mask(field, part)) }
        self.init(
            minutes: masks[0], hours: masks[1], days: masks[2], months: masks[3],
            weekdays: masks[4].has(7) ? (masks[4] | 1) & 0x7F : masks[4],
            anyDay: parts[2].hasPrefix("*"), anyWeekday: parts[4].hasPrefix("*"))
        guard canHappen else {
            throw Schedule.Failure(reason: "none of these months has such a day")
        }
    }

    /// A list of `*`, numbers and ranges, each with a step behind a slash or without one.
    private static func mask(_ field: Field, _ text: String) throws(Schedule.Failure) -> UInt64 {
        var mask: UInt64 = 0
        for item in text.split(separator: ",", omittingEmptySubsequences: false) {
            guard let values = values(field, item) else {
                throw Schedule.Failure(
                    reason: "the \(field.name) is \(text); expected *, numbers or ranges from "
                        + "\(field.range.lowerBound) to \(field.range.upperBound), such as "
                        + "1,15 or */5")
            }
            for value in values { mask |= 1 << UInt64(value) }
        }
        return mask
    }

    private static func values(_ field: Field, _ text: Substring) -> StrideThrough<Int>? {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count <= 2, let range = range(field, parts[0]) else { return nil }
        guard parts.count == 2 else {
            return stride(from: range.lowerBound, through: range.upperBound, by: 1)
        }
        guard let step = number(parts[1]), (1...field.range.upperBound).contains(step) else {
            return nil
        }
        // `5/10` begins at 5 and goes to the end, as in every cron.
        let isSingle = !parts[0].contains("-") && parts[0] != "*"
        return stride(
            from: range.lowerBound, through: isSingle ? field.last : range.upperBound, by: step)
    }

    private static func range(_ field: Field, _ text: Substring) -> ClosedRange<Int>? {
        if text == "*" { return field.range.lowerBound...field.last }
        let ends = text.split(separator: "-", omittingEmptySubsequences: false)
        let values = ends.compactMap { value(field, $0) }
        guard values.count == ends.count, values.count <= 2, let first = values.first,
            let last = values.last, first <= last
        else { return nil }
        return first...last
    }

    private static func value(_ field: Field, _ text: Substring) -> Int? {
        let lower = text.lowercased()
        if !lower.isEmpty, let index = field.names.firstIndex(of: lower) { return index }
        return number(text).flatMap { field.range.contains($0) ? $0 : nil }
    }

    /// Digits alone: `Int` would take a sign.
    fileprivate static func number(_ text: Substring) -> Int? {
        guard text.utf8.count <= 9, text.utf8.allSatisfy({ Int64(asciiDigit: $0) != nil }) else {
            return nil
        }
        return Int(text)
    }

    /// Whether some month has one of the days. A weekday comes in every week.
    private var canHappen: Bool {
        if anyDay || !anyWeekday { return true }
        for month in Int64(1)...12 where months.has(month) {
            // 2000 had a 29 February.
            let last = Civil.daysIn(month: month, year: 2000)
            if (1...last).contains(where: { days.has($0) }) { return true }
        }
        return false
    }
}

// MARK: Searching

extension Schedule.Fields {
    /// Days that are looked at: 29 February, the rarest of all, comes again after 8 years at the
    /// latest (1896 and 1904).
    private static let daysMax: Int64 = 8 * 366

    fileprivate func next(after moment: Timestamp) -> Timestamp? {
        let minute = Civil.floor(moment.milliseconds, 60_000) + 1
        let today = Civil.floor(minute, 1440)
        var day = today
        while day <= today + Self.daysMax {
            let civil = Civil(day: day)
            guard civil.year <= 9999 else { return nil }
            guard months.has(civil.month) else {
                day += Civil.daysIn(month: civil.month, year: civil.year) - civil.day + 1
                continue
            }
            let from = day == today ? minute - today * 1440 : 0
            if matches(civil, number: day), let time = firstTime(from: from) {
                return Timestamp(milliseconds: (day * 1440 + time) * 60_000)
            }
            day += 1
        }
        return nil
    }

    private func matches(_ civil: Civil, number: Int64) -> Bool {
        // 1970-01-01 was a Thursday.
        let weekday = number + 4 - Civil.floor(number + 4, 7) * 7
        let (isDay, isWeekday) = (days.has(civil.day), weekdays.has(weekday))
        return anyDay || anyWeekday ? isDay && isWeekday : isDay || isWeekday
    }

    /// The first minute of a day, counted from its beginning, that is not before `minute`.
    private func firstTime(from minute: Int64) -> Int64? {
        for hour in minute / 60..<24 where hours.has(hour) {
            let first = hour == minute / 60 ? minute % 60 : 0
            for minute in first..<60 where minutes.has(minute) { return hour * 60 + minute }
        }
        return nil
    }
}

extension UInt64 {
    fileprivate func has(_ bit: Int64) -> Bool { self & 1 << UInt64(bit) != 0 }
}
