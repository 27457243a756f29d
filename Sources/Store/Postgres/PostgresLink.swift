import Domain
import Glibc

/// A thread's way to the server: its connection, made anew when it was lost. Used by one thread.
///
/// Nobody waits for a server that is away: until the next try is due, who asks hears at once what
/// the last one failed with. Tries are spread, so that a server that comes back is not met by all
/// nodes in one moment.
final class PostgresLink {
    private static let backoff = Backoff(base: .milliseconds(100), cap: .seconds(3))

    let options: PostgresOptions
    private var current: PostgresConnection?
    private var failures: Int64 = 0
    private var last: (error: PostgresError, nextTry: ContinuousClock.Instant)?

    init(_ options: PostgresOptions) { self.options = options }

    /// - Throws: what connecting failed with, now or at the last try.
    func connection() throws(PostgresError) -> PostgresConnection {
        if let current, !current.isLost { return current }
        current = nil
        if let last, ContinuousClock.now < last.nextTry { throw last.error }
        do throws(PostgresError) {
            let made = try PostgresConnection(options)
            (current, failures, last) = (made, 0, nil)
            return made
        } catch {
            failures += 1
            var random = SystemRandomNumberGenerator()
            let wait = Self.backoff.wait(after: failures, using: &random)
            last = (error, ContinuousClock.now + wait)
            throw error
        }
    }

    /// For a thread of the store's own; never on an event loop.
    static func pause(_ span: Duration) {
        usleep(UInt32(clamping: span.wholeMilliseconds * 1000))
    }
}
