import Testing

@testable import Domain

@Suite("Civil")
struct CivilTests {
    @Test("Every day from 1970 to 2100 comes back from its number, one after the other")
    func everyDay() throws {
        var number: Int64 = 0
        for year in Int64(1970)...2100 {
            for month in Int64(1)...12 {
                for day in 1...Civil.daysIn(month: month, year: year) {
                    let civil = try #require(Civil(year: year, month: month, day: day))
                    try #require(civil.daysSinceEpoch == number)
                    try #require(Civil(day: number) == civil)
                    number += 1
                }
            }
        }
        #expect(number == 47_847)
    }

    @Test("A cycle of 400 years has 146,097 days, before 1970 too")
    func cycles() throws {
        let first = try #require(Civil(year: 1600, month: 2, day: 29))
        let second = try #require(Civil(year: 2000, month: 2, day: 29))
        #expect(second.daysSinceEpoch - first.daysSinceEpoch == 146_097)
        #expect(Civil(day: first.daysSinceEpoch) == first)
        let zero = try #require(Civil(year: 0, month: 1, day: 1))
        #expect(zero.daysSinceEpoch == -719_528)
        #expect(Civil(day: -719_528) == zero)
    }

    @Test(
        "A century is a leap year only every fourth time",
        arguments: [(1900, false), (2000, true), (2100, false), (2024, true), (2023, false)])
    func leapYears(year: Int64, isLeap: Bool) {
        #expect((Civil(year: year, month: 2, day: 29) != nil) == isLeap)
    }

    @Test(
        "Days that are in no calendar are refused",
        arguments: [
            (2026, 0, 1), (2026, 13, 1), (2026, 1, 0), (2026, 1, 32), (2026, 4, 31),
            (2026, 2, 30), (-1, 1, 1), (10_000, 1, 1),
        ] as [(Int64, Int64, Int64)])
    func noSuchDay(year: Int64, month: Int64, day: Int64) {
        #expect(Civil(year: year, month: month, day: day) == nil)
    }
}
