import Domain
import Synchronization

/// One time for all nodes: that of the Redis server they share. A node whose own clock is wrong, or
/// is set while it runs, then neither frees a rate too early nor sees another node's lease as
/// ended.
///
/// What a node adds to its own clock is measured when it is connected and each second after that;
/// it is wrong by half a round trip at most.
final class SharedClock: Sendable {
    private let base: WallClock
    private let offset = Atomic<Int64>(0)  // milliseconds

    init(_ base: WallClock) { self.base = base }

    /// The node's clock, put right.
    var wall: WallClock {
        WallClock(
            now: { self.now },
            sleep: { end throws(CancellationError) in
                try await self.base.sleep(end - .milliseconds(self.aheadBy))
            })
    }

    var now: Timestamp { base.now() + .milliseconds(aheadBy) }

    /// Milliseconds that the server is ahead of this node.
    var aheadBy: Int64 { offset.load(ordering: .relaxed) }

    /// - Parameter roundTrip: how long the server's answer took. It read its clock meanwhile: in
    ///   the middle, as far as we know.
    func follow(_ server: Timestamp, roundTrip: Duration) {
        let sent = server + roundTrip / 2 - base.now()
        offset.store(sent.wholeMilliseconds, ordering: .relaxed)
    }
}
