import Domain
import Support
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

    @Test("A count is handed over once, as the counter's value")
    func takeUnsaved() throws {
        let now = try Self.at("2026-11-23T16:52:00Z")
        var tally = Tally(metric: "requests", at: now)
        #expect(!tally.isDirty)
        tally.add(4, at: now)
        #expect(tally.isDirty)
        let expected = [
            try entry(.month, "2026-11", 4), try entry(.day, "2026-11-23", 4),
            try entry(.hour, "2026-11-23T16", 4),
        ]
        #expect(tally.takeUnsaved() == expected)
        #expect(!tally.isDirty)
        #expect(tally.takeUnsaved().isEmpty)
        tally.add(1, at: now)
        #expect(tally.takeUnsaved().map(\.value) == [5, 5, 5])
    }

    @Test("A window that ended with a count not yet saved is handed over too")
    func finished() throws {
        let first = try Self.at("2026-11-23T16:59:59Z")
        var tally = Tally(metric: "requests", at: first)
        tally.add(4, at: first)
        tally.add(1, at: try Self.at("2026-11-23T17:00:00Z"))
        let unsaved = tally.takeUnsaved()
        #expect(unsaved.contains(try entry(.hour, "2026-11-23T16", 4)))
        #expect(unsaved.contains(try entry(.hour, "2026-11-23T17", 1)))
        #expect(unsaved.contains(try entry(.day, "2026-11-23", 5)))
    }

    @Test("What the store did not take is handed over again")
    func putBack() throws {
        let now = try Self.at("2026-11-23T16:52:00Z")
        var tally = Tally(metric: "requests", at: now)
        tally.add(4, at: now)
        let unsaved = tally.takeUnsaved()
        for entry in unsaved { tally.putBack(entry) }
        #expect(tally.isDirty)
        #expect(tally.takeUnsaved() == unsaved)
    }

    @Test("What the store did not take of a window that ended meanwhile is handed over again")
    func putBackAfterEnd() throws {
        let now = try Self.at("2026-11-23T16:52:00Z")
        var tally = Tally(metric: "requests", at: now)
        tally.add(4, at: now)
        let unsaved = tally.takeUnsaved()
        tally.add(1, at: try Self.at("2026-11-23T17:00:00Z"))
        for entry in unsaved { tally.putBack(entry) }
        let again = tally.takeUnsaved()
        #expect(again.contains(try entry(.hour, "2026-11-23T16", 4)))
        #expect(again.contains(try entry(.day, "2026-11-23", 5)))
    }

    @Test("A value put back never comes after a newer one of its window")
    func putBackIsOlder() throws {
        let now = try Self.at("2026-11-23T16:52:00Z")
        var tally = Tally(metric: "requests", at: now)
        tally.add(4, at: now)
        let unsaved = tally.takeUnsaved()
        tally.add(2, at: now)  // 6 in the hour that ends …
        tally.add(1, at: try Self.at("2026-11-23T17:00:00Z"))
        for entry in unsaved { tally.putBack(entry) }  // … before the 4 come back
        // The store keeps the last value written for a window.
        let index = try #require(Window.hour.index(period: "2026-11-23T16"))
        let last = tally.takeUnsaved().last { $0.window == .hour && $0.index == index }
        #expect(last?.value == 6)
    }

    @Test("What is given back is off every window that is still the same")
    func giveBack() throws {
        let first = try Self.at("2026-11-23T16:59:00Z")
        let second = try Self.at("2026-11-23T17:00:00Z")
        var tally = Tally(metric: "requests", at: first)
        tally.add(3, at: first)
        tally.add(2, at: second)
        tally.giveBack(3, takenAt: first)
        #expect(used(tally, at: second) == [2, 2, 2])
        tally.giveBack(100, takenAt: second)
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

    @Test("What the store had is taken over without being unsaved, and only of a current window")
    func restore() throws {
        let now = try Self.at("2026-11-23T16:52:00Z")
        var tally = Tally(metric: "requests", at: now)
        tally.restore(try entry(.month, "2026-11", 100))
        tally.restore(try entry(.day, "2026-11-23", 40))
        tally.restore(try entry(.hour, "2026-11-23T15", 7))
        #expect(used(tally, at: now) == [100, 40, 0])
        #expect(!tally.isDirty)
        tally.add(1, at: now)
        #expect(tally.takeUnsaved().map(\.value) == [101, 41, 1])
    }

    @Test("However saving fails, the store ends with every count", arguments: [UInt64](1...100))
    func saving(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        var now = try Self.at("2026-11-30T12:00:00Z")
        var tally = Tally(metric: "requests", at: now)
        var expected: [String: Int64] = [:]
        var stored: [String: Int64] = [:]
        var underWay: [Tally.Entry] = []
        for _ in 0..<200 {
            now = now + .seconds(random.pick([0, 1, 600, 3600]))
            switch random.int(0...3) {
            case 0 where underWay.isEmpty: underWay = tally.takeUnsaved()
            case 1 where !underWay.isEmpty:
                if random.chance(50) {
                    for entry in underWay { stored[Self.name(entry)] = entry.value }
                } else {
                    for entry in underWay { tally.putBack(entry) }
                }
                underWay = []
            default:
                tally.add(1, at: now)
                for window in Window.allCases {
                    expected[window.period(window.index(of: now)), default: 0] += 1
                }
            }
        }
        for entry in underWay + tally.takeUnsaved() { stored[Self.name(entry)] = entry.value }
        #expect(stored == expected, "seed \(seed)")
    }

    private static func name(_ entry: Tally.Entry) -> String { entry.window.period(entry.index) }
}
