import Domain
import Foundation
import Support
import Testing

@Suite("Timestamp")
struct TimestampTests {
    @Test(
        "Known moments are written as RFC 3339 in UTC with milliseconds",
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (-1, "1969-12-31T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_795_452_720_000, "2026-11-23T16:52:00.000Z"),
            (4_107_542_399_999, "2100-02-28T23:59:59.999Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
            (-62_167_219_200_000, "0000-01-01T00:00:00.000Z"),
        ] as [(Int64, String)])
    func known(milliseconds: Int64, text: String) {
        #expect(Timestamp(milliseconds: milliseconds).description == text)
        #expect(Timestamp(text) == Timestamp(milliseconds: milliseconds))
    }

    @Test("Any moment of the years 0 to 9999 comes back from its text")
    func roundTrip() {
        let seed: UInt64 = 0x71E5
        var random = SplitMix64(seed: seed)
        for _ in 0..<20_000 {
            let moment = Timestamp(
                milliseconds: random.int(-62_167_219_200_000...253_402_300_799_999))
            #expect(Timestamp(moment.description) == moment, "seed \(seed): \(moment)")
        }
    }

    @Test("Foundation writes the same text")
    func agreesWithFoundation() {
        let seed: UInt64 = 0xF0DA
        var random = SplitMix64(seed: seed)
        let style = Date.ISO8601FormatStyle()
        for _ in 0..<2000 {
            let seconds = random.int(-2_208_988_800...7_258_118_400)
            let theirs = Date(timeIntervalSince1970: TimeInterval(seconds)).formatted(style)
            let ours = Timestamp(milliseconds: seconds * 1000).description
            #expect(ours == theirs.dropLast() + ".000Z", "seed \(seed)")
        }
    }

    @Test(
        "Offsets, lower case and other fractions are read",
        arguments: [
            ("2026-11-23T17:52:00+01:00", "2026-11-23T16:52:00.000Z"),
            ("2026-11-23T11:22:00-05:30", "2026-11-23T16:52:00.000Z"),
            ("2026-11-23T16:52:00-00:00", "2026-11-23T16:52:00.000Z"),
            ("2026-01-01T00:30:00+01:00", "2025-12-31T23:30:00.000Z"),
            ("2026-11-23t16:52:00z", "2026-11-23T16:52:00.000Z"),
            ("2026-11-23T16:52:00.1Z", "2026-11-23T16:52:00.100Z"),
            ("2026-11-23T16:52:00.12Z", "2026-11-23T16:52:00.120Z"),
            ("2026-11-23T16:52:00.123999999999999999999999Z", "2026-11-23T16:52:00.123Z"),
        ])
    func variants(text: String, expected: String) {
        #expect(Timestamp(text)?.description == expected)
    }

    @Test(
        "Texts that are no RFC 3339 moment are refused",
        arguments: [
            "", "2026", "2026-11-23", "2026-11-23T16:52:00", "2026-11-23T16:52Z",
            "2026-11-23 16:52:00Z", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z", "2026-01-00T00:00:00Z", "2026-11-31T00:00:00Z",
            "2026-11-23T24:00:00Z", "2026-11-23T16:60:00Z", "2026-11-23T16:52:60Z",
            "2026-11-23T16:52:00.Z", "2026-11-23T16:52:00,5Z", "2026-11-23T16:52:00ZZ",
            "2026-11-23T16:52:00Z ", " 2026-11-23T16:52:00Z", "+026-11-23T16:52:00Z",
            "2026-11-23T16:52:00+24:00", "2026-11-23T16:52:00+01:60", "2026-11-23T16:52:00+01",
            "2026-11-23T16:52:00+0100", "20261123T165200Z", "２０２６-11-23T16:52:00Z",
            "2026-1-23T16:52:00Z", "12026-11-23T16:52:00Z",
        ])
    func bad(text: String) {
        #expect(Timestamp(text) == nil)
    }

    @Test(
        "A moment that its offset moves out of the years 0 to 9999 is refused",
        arguments: ["0000-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01"])
    func outOfYears(text: String) {
        // Not compared with nil: to print such a moment would trap.
        let isRead = Timestamp(text) != nil
        #expect(!isRead)
    }

    @Test("Spans are added and taken off in whole milliseconds")
    func arithmetic() {
        let moment = Timestamp(milliseconds: 1000)
        #expect(moment + .seconds(2) == Timestamp(milliseconds: 3000))
        #expect(moment - .milliseconds(1500) == Timestamp(milliseconds: -500))
        #expect(moment - Timestamp(milliseconds: 1250) == .milliseconds(-250))
        #expect(moment < moment + .milliseconds(1))
    }

    @Test("Seconds are rounded down, also before 1970")
    func seconds() {
        #expect(Timestamp(milliseconds: 1999).seconds == 1)
        #expect(Timestamp(milliseconds: -1).seconds == -1)
        #expect(Timestamp(milliseconds: -1000).seconds == -1)
    }

    @Test("What Retry-After shows is rounded up and never below 0")
    func secondsUp() {
        #expect(Duration.milliseconds(1).secondsUp == 1)
        #expect(Duration.milliseconds(1000).secondsUp == 1)
        #expect(Duration.milliseconds(1001).secondsUp == 2)
        #expect(Duration.zero.secondsUp == 0)
        #expect(Duration.seconds(-5).secondsUp == 0)
    }
}
