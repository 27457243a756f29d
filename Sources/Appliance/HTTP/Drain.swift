import NIOCore
import Synchronization

/// The end of a server's life, as its connections see it.
///
/// A client that keeps its connection may send the next request at the very moment the server
/// closes it, and then cannot know whether that request was carried out (RFC 9112, 9.5). So nothing
/// is closed under a client's hands: first each answer says `Connection: close`; only a connection
/// that stays silent for `quiet` after the last call is closed from here, and what was read is
/// answered in any case.
final class Drain: Sendable {
    enum Stage: Int, Comparable {
        case serving
        /// Every answer is the last one on its connection.
        case lastAnswers
        /// Silent connections are closed too.
        case lastCall

        static func < (one: Stage, other: Stage) -> Bool { one.rawValue < other.rawValue }
    }

    /// Fired on each open connection.
    struct LastCall {}

    /// How long a connection must be silent: a request that was already on its way has arrived by
    /// then, from wherever on earth (a round trip is below 300 ms).
    static let quiet = TimeAmount.milliseconds(500)

    /// How long the other side may take to read its last answer and close. Closing at once would
    /// reset the connection under the answer if anything more had come in (RFC 9112, 9.6).
    static let linger = TimeAmount.seconds(2)

    private let reached = Atomic(Stage.serving.rawValue)
    private let open = Mutex<[ObjectIdentifier: any Channel]>([:])

    var stage: Stage { Stage(rawValue: reached.load(ordering: .acquiring)) ?? .lastCall }

    func add(_ channel: any Channel) {
        open.withLock { $0[ObjectIdentifier(channel)] = channel }
    }

    func remove(_ channel: any Channel) {
        open.withLock { $0[ObjectIdentifier(channel)] = nil }
    }

    func begin() { reached.store(Stage.lastAnswers.rawValue, ordering: .releasing) }

    func callLast() {
        let channels = open.withLock { channels in
            // Under the lock: who is added later sees the stage, who was added before is told.
            reached.store(Stage.lastCall.rawValue, ordering: .releasing)
            return Array(channels.values)
        }
        for channel in channels { channel.pipeline.fireUserInboundEventTriggered(LastCall()) }
    }
}
