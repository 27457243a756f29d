/// How often a password may be guessed: ten times at once, then after waits that double up to a
/// quarter of an hour, a hundred times in a row at most (security L1).
///
/// A guess counts when it is begun, so that many at once are counted; a success ends the run. The
/// hundred is NIST's (SP 800-63B-4, 3.2.2): after it only another way in helps, such as a mail.
package struct GuessLimiter: Equatable, Sendable {
    /// Guesses since the last success.
    package private(set) var count: Int64
    package private(set) var lastAt: Timestamp

    package static let freeCount: Int64 = 10
    package static let countMax: Int64 = 100
    private static let firstWait: Duration = .seconds(90)
    package static let waitMax: Duration = .seconds(900)
    /// 90 s doubled four times is past the longest wait.
    private static let doublingsMax: Int64 = 4

    package init(count: Int64 = 0, lastAt: Timestamp = .epoch) {
        self.count = count
        self.lastAt = lastAt
    }

    /// How long until the next guess may begin: zero now, nil never.
    package func wait(at now: Timestamp) -> Duration? {
        guard count < Self.countMax else { return nil }
        guard count >= Self.freeCount else { return .zero }
        let doublings = min(count - Self.freeCount, Self.doublingsMax)
        let wait = min(Self.waitMax, Self.firstWait * (1 << doublings))
        return max(.zero, lastAt + wait - now)
    }

    package mutating func take(at now: Timestamp) {
        count += 1
        lastAt = now
    }
}
