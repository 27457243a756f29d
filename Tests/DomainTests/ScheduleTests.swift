import Support
import Testing

@testable import Domain

@Suite("Schedule")
struct ScheduleTests {
    private static func next(_ spec: String, after text: String) throws -> String? {
        let moment = try #require(Timestamp(text))
        return try Schedule(spec).next(after: moment)?.description
    }

    @Test(
        "The next moment is the first that fits, never the one asked from",
        arguments: [
            ("* * * * *", "2026-11-23T12:00:00.000Z", "2026-11-23T12:01:00.000Z"),
            ("* * * * *", "2026-11-23T12:00:59.999Z", "2026-11-23T12:01:00.000Z"),
            ("*/15 * * * *", "2026-11-23T12:45:00.000Z", "2026-11-23T13:00:00.000Z"),
            ("30 3 * * *", "2026-11-23T03:29:59.999Z", "2026-11-23T03:30:00.000Z"),
            ("30 3 * * *", "2026-11-23T03:30:00.000Z", "2026-11-24T03:30:00.000Z"),
            ("0 0 1 * *", "2026-12-01T00:00:00.000Z", "2027-01-01T00:00:00.000Z"),
            ("0 0 31 * *", "2026-11-23T12:00:00.000Z", "2026-12-31T00:00:00.000Z"),
            ("0 0 29 2 *", "2026-11-23T12:00:00.000Z", "2028-02-29T00:00:00.000Z"),
            ("0 0 29 2 *", "2096-02-29T00:00:00.000Z", "2104-02-29T00:00:00.000Z"),
            ("0 12 * * mon", "2026-11-23T12:00:00.000Z", "2026-11-30T12:00:00.000Z"),
            ("0 0 * * 7", "2026-11-23T12:00:00.000Z", "2026-11-29T00:00:00.000Z"),
            ("0 0 13 * fri", "2026-11-23T12:00:00.000Z", "2026-11-27T00:00:00.000Z"),
            ("0 0 13 * fri", "2026-12-11T00:00:00.000Z", "2026-12-13T00:00:00.000Z"),
            ("5/20 8-10 * jan,JUL *", "2026-11-23T12:00:00.000Z", "2027-01-01T08:05:00.000Z"),
            ("59 23 31 12 *", "2026-12-31T23:59:00.000Z", "2027-12-31T23:59:00.000Z"),
            ("@every 15m", "2026-11-23T12:07:00.000Z", "2026-11-23T12:15:00.000Z"),
            ("@every 24h", "2026-11-23T00:00:00.000Z", "2026-11-24T00:00:00.000Z"),
            ("@every 90s", "1969-12-31T23:59:59.000Z", "1970-01-01T00:00:00.000Z"),
        ])
    func next(spec: String, moment: String, expected: String) throws {
        #expect(try Self.next(spec, after: moment) == expected)
    }

    @Test(
        "What is no schedule is refused with what was expected",
        arguments: [
            ("", "expected five fields"), ("* * * *", "expected five fields"),
            ("* * * * * *", "expected five fields"), ("@daily", "expected five fields"),
            ("60 * * * *", "the minute is 60"), ("-1 * * * *", "the minute is -1"),
            ("+1 * * * *", "the minute is +1"), ("1- * * * *", "the minute is 1-"),
            ("1-2-3 * * * *", "the minute is 1-2-3"), ("5-1 * * * *", "the minute is 5-1"),
            ("1,,2 * * * *", "the minute is 1,,2"), ("*/0 * * * *", "the minute is */0"),
            ("*/60 * * * *", "the minute is */60"), ("1/2/3 * * * *", "the minute is 1/2/3"),
            ("*-5 * * * *", "the minute is *-5"), ("** * * * *", "the minute is **"),
            ("٣ * * * *", "the minute is ٣"), ("99999999999 * * * *", "the minute is"),
            ("* 24 * * *", "the hour is 24"), ("* * 0 * *", "the day of the month is 0"),
            ("* * 32 * *", "the day of the month is 32"), ("* * * 13 *", "the month is 13"),
            ("* * * mon *", "the month is mon"), ("* * * * 8", "the day of the week is 8"),
            ("* * * * jan", "the day of the week is jan"),
            ("0 0 30 2 *", "none of these months has such a day"),
            ("0 0 31 4,6,9,11 *", "none of these months has such a day"),
            ("@every", "@every takes a duration"), ("@every 0s", "@every takes a duration"),
            ("@every 15", "@every takes a duration"), ("@every 500ms", "@every takes a duration"),
            ("@every -5m", "@every takes a duration"), ("@every 367d", "@every takes a duration"),
            ("@every 5m 5m", "@every takes a duration"),
            ("@every 9999999999999s", "@every takes a duration"),
        ])
    func refused(spec: String, reason: String) {
        #expect(!Schedule.isValid(spec))
        do throws(Schedule.Failure) {
            _ = try Schedule(spec)
            Issue.record("taken: \(spec)")
        } catch {
            #expect(error.reason.hasPrefix(reason), "\(error.reason)")
        }
    }

    @Test("A day that no month of the rule has is none with a weekday beside it")
    func weekdayBeside() throws {
        #expect(
            try Self.next("0 0 30 2 mon", after: "2026-11-23T12:00:00.000Z")
                == "2027-02-01T00:00:00.000Z")
    }

    @Test("Spaces more or less are one schedule, and it is written with one")
    func spaces() throws {
        #expect(try Schedule("  30   3 * *  * ") == Schedule("30 3 * * *"))
        #expect(try Schedule(" @every  5m").text == "@every 5m")
    }

    @Test("There is no moment after the year 9999")
    func lastYear() throws {
        #expect(try Self.next("* * * * *", after: "9999-12-31T23:59:00.000Z") == nil)
        #expect(try Self.next("@every 1h", after: "9999-12-31T23:00:00.000Z") == nil)
        #expect(try Self.next("0 0 29 2 *", after: "9996-02-29T00:00:00.000Z") == nil)
    }

    // MARK: Against a slow model

    /// A field as text, and the numbers it stands for, worked out another way than the code does.
    private static func field(
        _ range: ClosedRange<Int>, _ random: inout SplitMix64
    ) -> (text: String, values: Set<Int>) {
        func number() -> Int {
            Int(random.int(Int64(range.lowerBound)...Int64(range.upperBound)))
        }
        switch random.int(0...4) {
        case 0, 1: return ("*", Set(range))
        case 2:
            let values = (0...Int(random.int(0...3))).map { _ in number() }
            return (values.map(String.init).joined(separator: ","), Set(values))
        case 3:
            let (a, b) = (number(), number())
            return ("\(min(a, b))-\(max(a, b))", Set(min(a, b)...max(a, b)))
        default:
            let step = Int(random.int(1...Int64(range.upperBound)))
            let values = range.filter { ($0 - range.lowerBound) % step == 0 }
            return ("*/\(step)", Set(values))
        }
    }

    private struct Model {
        let text: String
        let fields: [Set<Int>]
        let anyDay: Bool
        let anyWeekday: Bool

        init(_ random: inout SplitMix64) {
            let parts = [0...59, 0...23, 1...31, 1...12, 0...6].map { range in
                ScheduleTests.field(range, &random)
            }
            text = parts.map(\.text).joined(separator: " ")
            fields = parts.map(\.values)
            anyDay = parts[2].text.hasPrefix("*")
            anyWeekday = parts[4].text.hasPrefix("*")
        }

        /// From the written form of the moment, not from the code's own arithmetic.
        func fits(_ moment: Timestamp) -> Bool {
            let text = Array(moment.description)
            func number(_ range: Range<Int>) -> Int { Int(String(text[range])) ?? -1 }
            let weekday = Int((moment.milliseconds / 86_400_000 + 4) % 7)
            let day = fields[2].contains(number(8..<10))
            let isWeekday = fields[4].contains(weekday)
            let isDay = anyDay || anyWeekday ? day && isWeekday : day || isWeekday
            return isDay && fields[0].contains(number(14..<16))
                && fields[1].contains(number(11..<13)) && fields[3].contains(number(5..<7))
        }
    }

    @Test("On random rules it finds what a walk minute by minute finds", arguments: 1...60)
    func model(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let model = Model(&random)
        guard let schedule = try? Schedule(model.text) else {
            #expect(!model.fields[2].contains { $0 <= 29 }, "\(model.text)")
            return
        }
        // Into the end of a month, a year or a leap day as often as into its middle.
        let starts = [
            "2026-11-23T12:00:30.000Z", "2027-12-30T23:58:00.000Z", "2028-02-27T23:00:00.000Z",
        ]
        let start = try #require(Timestamp(random.pick(starts)))
        let days: Int64 = 4
        var minute = (start.milliseconds / 60_000 + 1) * 60_000
        let end = start.milliseconds + days * 86_400_000
        var asked = start
        while minute < end {
            let moment = Timestamp(milliseconds: minute)
            minute += 60_000
            guard model.fits(moment) else { continue }
            #expect(schedule.next(after: asked) == moment, "\(model.text) after \(asked)")
            // Not from each, but from some within the gap before the next as well.
            asked = random.chance(50) ? moment : moment + .milliseconds(random.int(0...59_999))
        }
        if let next = schedule.next(after: asked) {
            #expect(next.milliseconds >= end && model.fits(next), "\(model.text) after \(asked)")
        }
    }

    @Test("On random rules and times, what is found fits and is later", arguments: 1...40)
    func fits(seed: UInt64) throws {
        var random = SplitMix64(seed: seed &* 977)
        let model = Model(&random)
        guard let schedule = try? Schedule(model.text) else { return }
        for _ in 0..<50 {
            let moment = Timestamp(milliseconds: random.int(0...4_102_444_800_000))  // 2100
            let next = try #require(schedule.next(after: moment), "\(model.text) after \(moment)")
            #expect(next > moment && model.fits(next), "\(model.text) after \(moment): \(next)")
        }
    }
}
