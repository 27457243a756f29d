/// How long a job that failed waits for its next try.
package struct Backoff: Equatable, Sendable {
    package let base: Duration
    package let cap: Duration

    package init(base: Duration, cap: Duration) {
        self.base = base
        self.cap = cap
    }

    /// Exponential with full jitter: anything from nothing to `base` × 2^(attempts - 1), which
    /// stops at `cap`. Many jobs that failed of one cause do not come back at one moment; of the
    /// known ways to spread them this one makes the fewest calls (Brooker 2015).
    ///
    /// - Parameter attempts: tries that were begun, from 1.
    package func wait(
        after attempts: Int64, using random: inout some RandomNumberGenerator
    ) -> Duration {
        .milliseconds(Int64.random(in: 0...most(after: attempts), using: &random))
    }

    /// Milliseconds; without overflow, however many tries there were.
    func most(after attempts: Int64) -> Int64 {
        let cap = max(0, self.cap.wholeMilliseconds)
        var most = min(max(0, base.wholeMilliseconds), cap)
        // 2^63 is past any cap.
        for _ in 0..<min(max(0, attempts - 1), 63) {
            guard most <= cap / 2 else { return cap }
            most *= 2
        }
        return most
    }
}
