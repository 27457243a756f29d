import Domain
import Support
import Synchronization
import Testing

@testable import Appliance

@Suite("Freshness")
struct FreshnessTests {
    /// A clock that the test turns.
    private final class Turned: Sendable {
        private let moment = Mutex(ContinuousClock.now)
        var now: ContinuousClock.Instant { moment.withLock { $0 } }
        func advance(_ span: Duration) { moment.withLock { $0 = $0 + span } }
    }

    @Test("It holds for a second from the moment that it is of, and not before the first one")
    func holds() {
        let clock = Turned()
        let freshness = Freshness { clock.now }
        #expect(!freshness.holds)
        let asked = clock.now
        clock.advance(.milliseconds(300))
        freshness.renew(asOf: asked)
        #expect(freshness.holds)
        clock.advance(.milliseconds(699))
        #expect(freshness.holds)
        clock.advance(.milliseconds(1))
        #expect(!freshness.holds)
        clock.advance(.seconds(86_400))
        freshness.renew(asOf: clock.now)
        #expect(freshness.holds)
    }
}
