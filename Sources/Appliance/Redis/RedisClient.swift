import Domain
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import Synchronization
import Tracing

/// The Redis that several daemons share: commands over one connection, messages over another.
///
/// Nothing waits for a connection: while there is none, a command fails at once, and who called
/// decides what that means. A command whose answer is lost may have been carried out, so none is
/// sent again by itself. What makes its outcome certain is that the keys of one server's life are
/// never believed in another's (`server`, `onlyOn`).
final class RedisClient: Service, Sendable {
    private struct Live: Sendable {
        let link: RedisLink
        let server: String
    }

    /// Between two tries to connect. Jittered, since all daemons lose the server at one moment.
    private static let backoff = Backoff(base: .milliseconds(50), cap: .seconds(1))
    /// A connection that lasted so long was a good one: the waits begin again.
    private static let steady: Duration = .seconds(1)

    let meter = RedisMeter()
    private let options: RedisOptions
    private let logger: Logger
    private let tracer: SpanTracer?
    private let subscriptions: RedisSubscriptions
    private let loop: any EventLoop = MultiThreadedEventLoopGroup.singleton.next()
    private let live = Mutex<Live?>(nil)
    private let toldOfEviction = Atomic(false)

    init(_ options: RedisOptions, tracer: SpanTracer? = nil, logger: Logger) {
        self.options = options
        self.tracer = tracer
        self.logger = logger
        subscriptions = RedisSubscriptions(logger: logger)
    }

    var place: ServerPlace { options.place }

    /// The run id of the server that the connection is with; nil while there is none.
    var server: String? { live.withLock { $0?.link.end == nil ? $0?.server : nil } }

    /// Commands without an answer so far.
    var unanswered: Int { live.withLock { $0?.link }?.unanswered ?? 0 }

    // MARK: Commands

    /// For who cannot wait in a task. The answer comes on an event loop, or before this returns.
    ///
    /// - Parameter server: a run id; the command is not sent to any other.
    func send(
        _ command: RedisCommand, onlyOn server: String? = nil, answer: @escaping RedisLink.Answer
    ) {
        guard let live = live.withLock({ $0 }) else {
            return answer(.failure(.away("no connection")))
        }
        if let server, server != live.server { return answer(.failure(.otherServer)) }
        live.link.put(command, answer)
    }

    func send(
        _ command: RedisCommand, onlyOn server: String? = nil
    ) async throws(RedisFailure) -> RedisReply {
        guard let tracer else { return try await exchange(command, server) }
        let attributes: SpanAttributes = [
            "db.system.name": "redis", "db.operation.name": .string(command.name),
        ]
        return try await tracer.span(command.name, .client, attributes) {
            () throws(RedisFailure) in try await exchange(command, server)
        }
    }

    private func exchange(
        _ command: RedisCommand, _ server: String?
    ) async throws(RedisFailure) -> RedisReply {
        try await withCheckedContinuation { continuation in
            send(command, onlyOn: server) { continuation.resume(returning: $0) }
        }.get()
    }

    /// Runs a script; one that the server does not know yet is sent whole.
    func run(
        _ script: RedisScript, keys: [String], _ arguments: [[UInt8]], onlyOn server: String? = nil
    ) async throws(RedisFailure) -> RedisReply {
        do throws(RedisFailure) {
            return try await send(script.command(keys, arguments, isKnown: true), onlyOn: server)
        } catch {
            guard case .refused(let words) = error, words.hasPrefix("NOSCRIPT ") else {
                throw error
            }
            return try await send(script.command(keys, arguments, isKnown: false), onlyOn: server)
        }
    }

    // MARK: Messages

    /// What is published on a channel from now on. An empty message comes first and after each new
    /// connection: something may have been missed. Ends when the client does.
    func messages(of channel: String) -> AsyncStream<[UInt8]> {
        subscriptions.messages(of: channel)
    }

    /// Whoever listens right now hears of it; nobody else ever does.
    func publish(_ channel: String, _ message: [UInt8]) async throws(RedisFailure) {
        _ = try await send(RedisCommand("PUBLISH", [Array(channel.utf8), message]))
    }

    // MARK: Connections

    private enum Purpose: String { case commands, messages }

    /// Keeps both connections until the daemon stops: then what was sent is answered first.
    func run() async throws {
        await cancelWhenGracefulShutdown {
            await withDiscardingTaskGroup { group in
                group.addTask { await self.keep(.commands) { await self.serveCommands($0, $1) } }
                group.addTask { await self.keep(.messages) { await self.serveMessages($0, $1) } }
            }
        }
        subscriptions.finish()
    }

    private func serveCommands(_ link: RedisLink, _ greeting: RedisGreeting) async {
        live.withLock { $0 = Live(link: link, server: greeting.runID) }
        await link.untilEnd()
        live.withLock { $0 = nil }
    }

    private func serveMessages(_ link: RedisLink, _ greeting: RedisGreeting) async {
        subscriptions.use(link)
        await link.untilEnd()
        subscriptions.use(nil)
    }

    /// Connects again and again, and says so in the log once for each time that the server is away.
    private func keep(
        _ purpose: Purpose, _ serve: (RedisLink, RedisGreeting) async -> Void
    ) async {
        var attempts: Int64 = 0
        var isAway = false
        var random = SystemRandomNumberGenerator()
        while !Task.isCancelled {
            let begun = ContinuousClock.now
            let reason: String
            do throws(RedisFailure) {
                let (link, greeting) = try await open(purpose)
                isAway = false
                tell(greeting, purpose)
                await serve(link, greeting)
                reason = link.end.map { "\($0)" } ?? ""
                if ContinuousClock.now - begun > Self.steady { attempts = 0 }
            } catch {
                reason = "\(error)"
            }
            guard !Task.isCancelled else { return }
            if !isAway {
                isAway = true
                logger.warning(
                    "Redis is away", metadata: ["for": "\(purpose.rawValue)", "cause": "\(reason)"])
            }
            attempts += 1
            let wait = Self.backoff.wait(after: attempts, using: &random)
            // Cancelled when the daemon stops: the loop sees it.
            try? await Task.sleep(for: wait)
        }
    }

    private func open(
        _ purpose: Purpose
    ) async throws(RedisFailure) -> (RedisLink, RedisGreeting) {
        var onMessage: (@Sendable (String, [UInt8]) -> Void)?
        if purpose == .messages {
            onMessage = { [subscriptions] in subscriptions.deliver($1, to: $0) }
        }
        let link = try await RedisLink.open(
            options, on: loop, meter: meter, onMessage: onMessage)
        do throws(RedisFailure) {
            let greeting = try await link.greet(options)
            meter.connected()
            return (link, greeting)
        } catch {
            link.finish()
            throw error
        }
    }

    private func tell(_ greeting: RedisGreeting, _ purpose: Purpose) {
        logger.info(
            "connected to Redis",
            metadata: [
                "for": "\(purpose.rawValue)", "address": "\(options.place)",
                "server": "\(greeting.runID)", "version": "\(greeting.version)",
            ])
        guard greeting.evicts, !toldOfEviction.exchange(true, ordering: .relaxed) else { return }
        logger.warning(
            "Redis may drop what it is to keep: set maxmemory-policy noeviction there",
            metadata: ["maxmemory_policy": "\(greeting.maxmemoryPolicy)"])
    }
}

extension RedisFailure: CustomStringConvertible {
    var description: String {
        switch self {
        case .away(let reason): reason
        case .refused(let words): words
        case .otherServer: "another server than the one that was meant"
        }
    }
}
