import Domain
import Testing

@Suite("Tally")
struct TallyTests {
    private static func at(_ text: String) throws -> Timestamp { try #require(Timestamp(text)) }

    private func used(_ tally: Tally, at now: Timestamp) -> [Int64] {
        Window.allCases.map { tally.counter($0, at: now).used }
    }

    private func entry(_ window: Window, _ period: String, _ value: Int64) throws -> Tally.Entry {
        Tally.Entry(
            metric: "requests", window: window, index: try #require(window.index(period: period)),
            value: value)
    }

    @Test("Each window begins anew when its time comes")
    func rollOver() throws {
        var tally = Tally(metric: "requests", at: try Self.at("2026-11-30T22:59:59.999Z"))
        tally.add(3, at: try Self.at("2026-11-30T22:59:59.999Z"))
        let nextHour = try Self.at("2026-11-30T23:00:00Z")
        #expect(used(tally, at: nextHour) == [3, 3, 0])
        tally.add(2, at: nextHour)
        #expect(used(tally, at: nextHour) == [5, 5, 2])
        let nextMonth = try Self.at("2026-12-01T00:00:00Z")
        #expect(used(tally, at: nextMonth) == [0, 0, 0])
        tally.add(1, at: nextMonth)
        #expect(used(tally, at: nextMonth) == [1, 1, 1])
    }

    @Test("What is given back is off every window that is still the same")
    func giveBack() throws {
        let first = try Self.at("2026-11-23T16:59:00Z")
        let second = try Self.at("2026-11-23T17:00:00Z")
        var tally = Tally(metric: "requests", at: first)
        tally.add(3, at: first)
        tally.add(2, at: second)
        tally.giveBack(3, hourIndex: Window.hour.index(of: first))
        #expect(used(tally, at: second) == [2, 2, 2])
        tally.giveBack(100, hourIndex: Window.hour.index(of: second))
        #expect(used(tally, at: second) == [0, 0, 0])
    }

    @Test("A clock that steps back stays in the later window")
    func stepBack() throws {
        let later = try Self.at("2026-12-01T00:00:00Z")
        let earlier = try Self.at("2026-11-30T23:00:00Z")
        var tally = Tally(metric: "requests", at: later)
        tally.add(3, at: later)
        #expect(used(tally, at: earlier) == [3, 3, 3])
        tally.add(2, at: earlier)
        #expect(used(tally, at: earlier) == [5, 5, 5])
        #expect(used(tally, at: later) == [5, 5, 5])
    }

    @Test("What is given back after the clock stepped back is off the hour it was counted in")
    func giveBackAfterStep() throws {
        let later = try Self.at("2026-12-01T00:00:00Z")
        var tally = Tally(metric: "requests", at: later)
        tally.add(3, at: later - .seconds(3600))
        #expect(tally.hourIndex == Window.hour.index(of: later))
        tally.giveBack(3, hourIndex: tally.hourIndex)
        #expect(used(tally, at: later) == [0, 0, 0])
    }

    @Test("What the store had is taken over, and only of a current window")
    func restore() throws {
        let now = try Self.at("2026-11-23T16:52:00Z")
        var tally = Tally(metric: "requests", at: now)
        tally.restore(try entry(.month, "2026-11", 100))
        tally.restore(try entry(.day, "2026-11-23", 40))
        tally.restore(try entry(.hour, "2026-11-23T15", 7))
        #expect(used(tally, at: now) == [100, 40, 0])
        tally.add(1, at: now)
        #expect(used(tally, at: now) == [101, 41, 1])
    }

    @Test("A place is kept for its hour and forgotten with it")
    func place() throws {
        let now = try Self.at("2026-11-23T16:52:00Z")
        var tally = Tally(metric: "requests", at: now)
        tally.setPlace(7, hourIndex: tally.hourIndex)
        tally.add(1, at: now)
        #expect(tally.place == 7)
        tally.setPlace(8, hourIndex: tally.hourIndex - 1)
        #expect(tally.place == 7)
        tally.add(1, at: now + .seconds(3600))
        #expect(tally.place == nil)
    }

    @Test("A count never passes what an answer can show")
    func largest() throws {
        let now = try Self.at("2026-11-23T16:52:00Z")
        var tally = Tally(metric: "requests", at: now)
        for _ in 0..<3 { tally.add(JSON.integerMax, at: now) }
        #expect(used(tally, at: now) == [JSON.integerMax, JSON.integerMax, JSON.integerMax])
    }

    @Test(
        "Each window ends where the calendar says: month ends, leap days, years",
        arguments: [
            ("2028-02-28T23:30:00Z", "2028-02-29T00:00:00Z", "2028-03-01T00:00:00Z"),
            ("2028-02-29T12:00:00Z", "2028-03-01T00:00:00Z", "2028-03-01T00:00:00Z"),
            ("2027-02-28T12:00:00Z", "2027-03-01T00:00:00Z", "2027-03-01T00:00:00Z"),
            ("2100-02-28T12:00:00Z", "2100-03-01T00:00:00Z", "2100-03-01T00:00:00Z"),
            ("2026-12-31T23:59:59.999Z", "2027-01-01T00:00:00Z", "2027-01-01T00:00:00Z"),
            ("2026-04-30T00:00:00Z", "2026-05-01T00:00:00Z", "2026-05-01T00:00:00Z"),
        ])
    func ends(text: String, day: String, month: String) throws {
        let now = try Self.at(text)
        var tally = Tally(metric: "requests", at: now)
        tally.add(1, at: now)
        for (window, end) in [(Window.day, try Self.at(day)), (.month, try Self.at(month))] {
            #expect(tally.counter(window, at: now).end == end)
            #expect(tally.counter(window, at: end - .milliseconds(1)).used == 1)
            #expect(tally.counter(window, at: end).used == 0)
            #expect(tally.counter(window, at: end).start == end)
        }
    }
}
