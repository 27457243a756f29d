import Domain
import Support
import Testing

@Suite("Window")
struct WindowTests {
    @Test(
        "A period's text names its window",
        arguments: [
            (Window.month, "2026-11", "2026-11-01T00:00:00.000Z", "2026-12-01T00:00:00.000Z"),
            (.month, "2026-12", "2026-12-01T00:00:00.000Z", "2027-01-01T00:00:00.000Z"),
            (.month, "2024-02", "2024-02-01T00:00:00.000Z", "2024-03-01T00:00:00.000Z"),
            (.month, "1969-12", "1969-12-01T00:00:00.000Z", "1970-01-01T00:00:00.000Z"),
            (.day, "2024-02-29", "2024-02-29T00:00:00.000Z", "2024-03-01T00:00:00.000Z"),
            (.day, "2026-12-31", "2026-12-31T00:00:00.000Z", "2027-01-01T00:00:00.000Z"),
            (.hour, "2026-11-23T16", "2026-11-23T16:00:00.000Z", "2026-11-23T17:00:00.000Z"),
            (.hour, "2026-12-31T23", "2026-12-31T23:00:00.000Z", "2027-01-01T00:00:00.000Z"),
        ])
    func period(window: Window, text: String, start: String, end: String) throws {
        let index = try #require(window.index(period: text))
        #expect(window.period(index) == text)
        #expect(window.start(of: index).description == start)
        #expect(window.end(of: index).description == end)
    }

    @Test(
        "A text of another length or of no calendar is refused",
        arguments: [
            (Window.month, "2026-13"), (.month, "2026-00"), (.month, "2026-1"), (.month, ""),
            (.month, "2026-11-23"), (.month, "2026/11"), (.day, "2026-02-29"), (.day, "2026-11"),
            (.day, "2026-11-3 "), (.hour, "2026-11-23T24"), (.hour, "2026-11-23 16"),
            (.hour, "2026-11-23"), (.hour, "2026-11-23TZZ"),
        ])
    func badPeriod(window: Window, text: String) {
        #expect(window.index(period: text) == nil)
    }

    @Test(
        "A moment lies in its window, and the window's text leads back", arguments: Window.allCases)
    func holdsItsMoment(window: Window) {
        let seed: UInt64 = 0x3133
        var random = SplitMix64(seed: seed)
        for _ in 0..<5000 {
            let moment = Timestamp(milliseconds: random.int(-2_208_988_800_000...4_102_444_800_000))
            let index = window.index(of: moment)
            #expect(window.start(of: index) <= moment, "seed \(seed): \(moment)")
            #expect(moment < window.end(of: index), "seed \(seed): \(moment)")
            #expect(window.end(of: index) == window.start(of: index + 1))
            #expect(window.index(period: window.period(index)) == index, "seed \(seed): \(moment)")
            #expect(window.index(of: window.end(of: index)) == index + 1, "seed \(seed)")
            #expect(
                window.index(of: window.start(of: index) - .milliseconds(1)) == index - 1,
                "seed \(seed)")
        }
    }

    @Test("The longest window comes first")
    func order() {
        #expect(Window.allCases == [.month, .day, .hour])
    }
}
