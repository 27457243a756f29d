import NIOCore
import Synchronization

/// One connection with many commands in flight: answers come in the order of the commands.
///
/// Commands are put from any thread. The first of those that come together wakes the event loop,
/// which writes all of them at once (`RedisHandler`): under load many share one system call, and
/// none waits for another.
///
/// Invariants: each command that was put is answered exactly once, at the latest when its time is
/// up; then, and after anything that would put answers out of step with commands, the link is at
/// its end, and all that were not answered are told so. No more than `commandsMax` and `bytesMax`
/// are ever unanswered.
final class RedisLink: Sendable {
    typealias Answer = @Sendable (Result<RedisReply, RedisFailure>) -> Void

    struct Order: Sendable {
        let command: RedisCommand
        let putAt: NIODeadline
        /// Called on the event loop, or by `put` itself.
        let answer: Answer
    }

    /// What thirty thousand commands a second leave unanswered in the standard timeout, when the
    /// server says nothing any more.
    static let commandsMax = 16_384
    static let bytesMax = 64 << 20

    private struct State {
        /// Not written yet.
        var fresh: [Order] = []
        var unanswered = 0
        var unansweredBytes = 0
        /// A flush is on its way.
        var isWoken = false
        var end: RedisFailure?
    }

    /// How long an answer may take, and after how long a silence the other side is asked for a sign
    /// of life: one that is gone without a word is noticed after twice this at most.
    let timeout: TimeAmount
    let meter: RedisMeter
    private let loop: any EventLoop
    private let handler: NIOLoopBoundBox<RedisHandler?>
    private let ended: EventLoopPromise<Void>
    private let state = Mutex(State())

    private init(on loop: any EventLoop, timeout: TimeAmount, meter: RedisMeter) {
        self.loop = loop
        self.timeout = timeout
        self.meter = meter
        handler = .makeEmptyBox(valueType: RedisHandler.self, eventLoop: loop)
        ended = loop.makePromise()
    }

    /// - Parameter onMessage: what pub/sub brings: the channel and the message.
    static func open(
        _ server: RedisOptions, on loop: any EventLoop, meter: RedisMeter,
        onMessage: (@Sendable (String, [UInt8]) -> Void)? = nil
    ) async throws(RedisFailure) -> RedisLink {
        let link = RedisLink(on: loop, timeout: server.timeout, meter: meter)
        do throws(Unreachable) {
            _ = try await server.place.connect(
                on: loop, timeout: server.connectTimeout, tls: server.tls
            ) { pipeline in
                let handler = RedisHandler(link, onMessage: onMessage)
                link.handler.value = handler
                try pipeline.addHandler(handler)
            }
            return link
        } catch {
            // There may be no handler that does.
            link.ended.succeed()
            throw .away("cannot reach \(server.place): \(error.reason)")
        }
    }

    // MARK: From any thread

    func put(_ command: RedisCommand, _ answer: @escaping Answer) {
        let order = Order(command: command, putAt: .now(), answer: answer)
        let (refusal, wakes): (RedisFailure?, Bool) = state.withLock { state in
            if let end = state.end { return (end, false) }
            let bytes = state.unansweredBytes + command.bytes.count
            guard state.unanswered < Self.commandsMax, bytes <= Self.bytesMax else {
                return (.away("queue full"), false)
            }
            state.fresh.append(order)
            state.unanswered += 1
            state.unansweredBytes = bytes
            defer { state.isWoken = true }
            return (nil, !state.isWoken)
        }
        if wakes { loop.execute { self.handler.value?.flush() } }
        if let refusal { answer(.failure(refusal)) }
    }

    func send(_ command: RedisCommand) async throws(RedisFailure) -> RedisReply {
        try await withCheckedContinuation { continuation in
            put(command) { continuation.resume(returning: $0) }
        }.get()
    }

    var unanswered: Int { state.withLock { $0.unanswered } }

    /// Why no more is taken; nil while it is.
    var end: RedisFailure? { state.withLock { $0.end } }

    /// Takes no more, and closes the connection when what was put is answered.
    func finish() {
        state.withLock { $0.end = $0.end ?? .away("the client is closed") }
        loop.execute { self.handler.value?.finish() }
    }

    /// Returns when the connection is closed. Finishes it when the task is cancelled.
    func untilEnd() async {
        await withTaskCancellationHandler {
            // It is only ever succeeded.
            try? await ended.futureResult.get()
        } onCancel: {
            finish()
        }
    }

    // MARK: From the handler, on the event loop

    func takeFresh() -> [Order] {
        state.withLock { state in
            defer { state.fresh = [] }
            state.isWoken = false
            return state.fresh
        }
    }

    func didAnswer(_ count: Int, bytes: Int) {
        state.withLock { state in
            state.unanswered -= count
            state.unansweredBytes -= bytes
        }
    }

    /// Returns what was not written.
    func didEnd(_ reason: RedisFailure) -> [Order] {
        handler.value = nil
        defer { ended.succeed() }
        return state.withLock { state in
            defer { state.fresh = [] }
            state.end = reason
            (state.unanswered, state.unansweredBytes) = (0, 0)
            return state.fresh
        }
    }
}
