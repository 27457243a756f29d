import Domain
import Testing

@Suite("GuessLimiter")
struct GuessLimiterTests {
    private static let start = Timestamp(milliseconds: 1_800_000_000_000)

    @Test("Ten guesses pass at once, the eleventh waits")
    func free() {
        var limiter = GuessLimiter()
        for _ in 0..<10 {
            #expect(limiter.wait(at: Self.start) == .zero)
            limiter.take(at: Self.start)
        }
        #expect(limiter.wait(at: Self.start) == .seconds(90))
    }

    @Test("The waits double up to a quarter of an hour, and are exact")
    func doubling() throws {
        var limiter = GuessLimiter(count: 10, lastAt: Self.start)
        var now = Self.start
        for seconds in [90, 180, 360, 720, 900, 900, 900] {
            let wait = try #require(limiter.wait(at: now))
            #expect(wait == .seconds(seconds))
            #expect(limiter.wait(at: now + wait - .milliseconds(1)) == .milliseconds(1))
            now = now + wait
            #expect(limiter.wait(at: now) == .zero)
            limiter.take(at: now)
        }
    }

    @Test("After a hundred in a row no wait helps")
    func hundred() throws {
        var limiter = GuessLimiter()
        var now = Self.start
        for _ in 0..<100 {
            now = now + (try #require(limiter.wait(at: now)))
            limiter.take(at: now)
        }
        #expect(limiter.wait(at: now + .seconds(365 * 86_400)) == nil)
    }

    @Test("A clock that steps back opens nothing sooner")
    func stepBack() {
        let limiter = GuessLimiter(count: 10, lastAt: Self.start)
        #expect(limiter.wait(at: Self.start - .seconds(3600)) == .seconds(3690))
    }
}
