import Logging
import Synchronization

/// Who listens to which channel, whatever becomes of the connection. A channel that nobody listens
/// to any more stays subscribed until the next connection: there are few, and they are our own.
final class RedisSubscriptions: Sendable {
    typealias Listener = AsyncStream<[UInt8]>.Continuation

    /// Messages that a listener has not taken; the oldest go first. They are news of something that
    /// can be looked up, so who is late looks it up for the newest.
    private static let waitingMax = 64

    private struct State {
        var link: RedisLink?
        var listeners: [String: [UInt64: Listener]] = [:]
        var last: UInt64 = 0
        var isFinished = false
    }

    private let state = Mutex(State())
    private let logger: Logger

    init(logger: Logger) { self.logger = logger }

    func messages(of channel: String) -> AsyncStream<[UInt8]> {
        let (stream, listener) = AsyncStream.makeStream(
            of: [UInt8].self, bufferingPolicy: .bufferingNewest(Self.waitingMax))
        let (number, link, isFinished) = state.withLock { state in
            state.last += 1
            if !state.isFinished { state.listeners[channel, default: [:]][state.last] = listener }
            return (state.last, state.link, state.isFinished)
        }
        if isFinished {
            listener.finish()
            return stream
        }
        listener.onTermination = { _ in self.remove(number, from: channel) }
        if let link { subscribe(to: channel, over: link) }
        return stream
    }

    private func remove(_ number: UInt64, from channel: String) {
        state.withLock { state in
            state.listeners[channel]?[number] = nil
            if state.listeners[channel]?.isEmpty == true { state.listeners[channel] = nil }
        }
    }

    /// A new connection; nil: it is gone.
    func use(_ link: RedisLink?) {
        let channels = state.withLock { state in
            state.link = link
            return state.listeners.keys.sorted()
        }
        if let link { for channel in channels { subscribe(to: channel, over: link) } }
    }

    /// Once the server has said yes, no message is missed. Of what was before, nothing is known.
    private func subscribe(to channel: String, over link: RedisLink) {
        link.put(RedisCommand("SUBSCRIBE", channel)) { result in
            switch result {
            case .success: self.deliver([], to: channel)
            case .failure(.refused(let words)):
                self.logger.warning(
                    "Redis does not let us listen",
                    metadata: ["channel": "\(channel)", "cause": "\(words)"])
            case .failure: break
            }
        }
    }

    func deliver(_ message: [UInt8], to channel: String) {
        let listeners = state.withLock { $0.listeners[channel].map { Array($0.values) } }
        for listener in listeners ?? [] { listener.yield(message) }
    }

    /// Nothing more will come.
    func finish() {
        let listeners = state.withLock { state in
            defer { state.listeners = [:] }
            (state.link, state.isFinished) = (nil, true)
            return state.listeners.values.flatMap(\.values)
        }
        for listener in listeners { listener.finish() }
    }
}
