import Domain
import HTTPTypes
import Logging
import NIOCore
import NIOHTTP1
import Synchronization

/// How many connections each client address has open.
final class ConnectionCounts: Sendable {
    private let counts = Mutex<[String: Int]>([:])
    private let most: Int

    init(perAddress most: Int) { self.most = most }

    /// False when the address has as many as it may.
    func open(_ address: String) -> Bool {
        counts.withLock { counts in
            let count = counts[address, default: 0]
            guard count < most else { return false }
            counts[address] = count + 1
            return true
        }
    }

    func close(_ address: String) {
        counts.withLock { counts in
            let count = counts[address, default: 0] - 1
            counts[address] = count > 0 ? count : nil
        }
    }
}

/// Stands before the framework on each connection and bounds what a client can hold: how long a
/// request head and a body may take to arrive, how long a connection may idle, how many connections
/// one client has, how long an address line is. Says in problem+json why a request that is no HTTP
/// was refused, then closes. Lets its client go gently when the server stops (`Drain`).
final class ConnectionGuard: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    struct Bounds: Sendable {
        let header: TimeAmount
        let body: TimeAmount
        let idle: TimeAmount
        let counts: ConnectionCounts
        let isSecure: Bool
        let drain: Drain

        /// Octets of a request's address (security B3; RFC 9110, 4.1 asks for 8,000).
        static let targetBytesMax = 8 * 1024
        /// Octets of a request's head, and how many fields: enough for tokens and proxies'
        /// additions.
        static let headBytesMax = 32 * 1024
        static let fieldsMax = 100
    }

    private enum Phase {
        /// Nothing of the next request has arrived.
        case idle
        case head
        case body
        case answering
        /// The last answer is out; the client is to read it and close.
        case lingering
    }

    private let bounds: Bounds
    private var client: String?
    private var phase = Phase.head
    /// Requests whose head came in and whose answer has not ended.
    private var open = 0
    /// Nothing came in since the last answer, or since the connection was made.
    private var isSilent = true
    /// The client said that this request is its last one here.
    private var isLastRequest = false
    /// The answer that is being written says `Connection: close`.
    private var isLast = false
    private var deadline = NIODeadline.distantFuture
    private var timer: Scheduled<Void>?

    init(_ bounds: Bounds) { self.bounds = bounds }

    var isDraining: Bool { bounds.drain.stage > .serving }

    func handlerAdded(context: ChannelHandlerContext) {
        let client = Self.client(context.channel.remoteAddress)
        guard client.isEmpty || bounds.counts.open(client) else {
            context.close(promise: nil)
            return
        }
        self.client = client.isEmpty ? nil : client
        deadline = .now() + bounds.header
        bounds.drain.add(context.channel)
        if bounds.drain.stage == .lastCall { deadline = .now() + Drain.quiet }
        schedule(context)
    }

    /// Who is counted: an IPv6 client by its network (security L3); empty for a Unix socket.
    private static func client(_ address: SocketAddress?) -> String {
        guard let text = address?.ipAddress else { return "" }
        return IPAddress(text.prefix { $0 != "%" })?.throttleKey ?? text
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        timer?.cancel()
        bounds.drain.remove(context.channel)
        if let client { bounds.counts.close(client) }
        client = nil
    }

    /// Bytes came in, before it is known of what.
    func bytesArrived() {
        let wasSilent = isSilent
        isSilent = false
        // A new connection's time runs from its beginning, unless the last call cut it short.
        guard phase == .idle || (phase == .head && wasSilent && bounds.drain.stage == .lastCall)
        else { return }
        phase = .head
        deadline = .now() + bounds.header
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isOver else { return }
        switch unwrapInboundIn(data) {
        case .head(let head):
            guard head.uri.utf8.count <= Bounds.targetBytesMax else {
                refuse(context, .uriTooLong, "The address is longer than 8 KiB.")
                return
            }
            // A proxy and we might each pick another one of two hosts (RFC 9112, 3.2).
            guard !Self.hasTwoHosts(head.headers) else {
                refuse(context, .badRequest, "There is more than one Host.")
                return
            }
            open += 1
            isLastRequest = !head.isKeepAlive
            phase = .body
            deadline = .now() + bounds.body
        case .body: break
        case .end:
            // It may have been answered before its end.
            phase = open == 0 ? .idle : .answering
            isSilent = open == 0
            // The server's turn: a backup of a large store takes minutes, and that is not the
            // client's fault. Every wait of a route has a bound of its own.
            deadline = open == 0 ? .now() + bounds.idle : .distantFuture
        }
        context.fireChannelRead(data)
    }

    /// The last request is here: whatever follows it, be it no HTTP, belongs elsewhere (RFC 9112,
    /// 9.6).
    private var isOver: Bool {
        phase == .lingering || isLast || (isLastRequest && phase == .answering)
    }

    private static func hasTwoHosts(_ headers: HTTPHeaders) -> Bool {
        var count = 0
        for (name, _) in headers where name.utf8.count == 4 && name.lowercased() == "host" {
            count += 1
        }
        return count > 1
    }

    func write(
        context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?
    ) {
        // A client that reads gets all the time it needs; one that does not is cut.
        if phase == .answering { deadline = .now() + bounds.idle }
        switch unwrapOutboundIn(data) {
        case .head(var head) where open == 1 && phase == .answering:
            guard isDraining || isLastRequest, head.status.code >= 200 else { break }
            isLast = true
            head.headers.replaceOrAdd(name: "Connection", value: "close")
            context.write(wrapOutboundOut(.head(head)), promise: promise)
            return
        case .end:
            didAnswer()
            guard isLast else { break }
            writeLast(data, context, promise)
            return
        case .head, .body: break
        }
        context.write(data, promise: promise)
    }

    /// A whole answer is on its way.
    func didAnswer() {
        open -= 1
        guard open == 0, phase == .answering else { return }
        phase = .idle
        isSilent = true
        let isQuiet = bounds.drain.stage == .lastCall && !isLast
        deadline = .now() + (isQuiet ? Drain.quiet : bounds.idle)
    }

    // MARK: The end

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case is Drain.LastCall:
            if isSilent, open == 0 { setDeadline(.now() + Drain.quiet, context) }
        case ChannelEvent.inputClosed where phase == .lingering: context.close(promise: nil)
        default: context.fireUserInboundEventTriggered(event)
        }
    }

    /// The end of the last answer; what follows waits until the client has taken it.
    private func writeLast(
        _ data: NIOAny, _ context: ChannelHandlerContext, _ promise: EventLoopPromise<Void>?
    ) {
        let written = context.eventLoop.makePromise(of: Void.self)
        written.futureResult.cascade(to: promise)
        let loopBound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        written.futureResult.whenSuccess {
            let (handler, context) = loopBound.value
            handler.letGo(context)
        }
        context.writeAndFlush(data, promise: written)
    }

    /// Nothing more is said here. The connection closes when the client has closed it, so that what
    /// it still sends does not reset it under the last answer.
    private func letGo(_ context: ChannelHandlerContext) {
        phase = .lingering
        let closed = context.eventLoop.makePromise(of: Void.self)
        let channel = context.channel
        closed.futureResult.whenFailure { error in
            // The framework was first; or TLS cannot close half of a connection.
            if case ChannelError.outputClosed = error { return }
            channel.close(promise: nil)
        }
        context.close(mode: .output, promise: closed)
        setDeadline(.now() + Drain.linger, context)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if isOver, error is HTTPParserError { return }
        if case HTTPParserError.headerOverflow = error {
            refuse(context, .requestHeaderFieldsTooLarge, "The request's head is too large.")
        } else if error is HTTPParserError || error is NIOHTTPDecoderError {
            refuse(context, .badRequest, "This is not HTTP/1.1 as RFC 9112 has it.")
        } else {
            context.fireErrorCaught(error)
        }
    }

    /// Answers by hand: the framework has not seen this request.
    private func refuse(
        _ context: ChannelHandlerContext, _ status: HTTPResponse.Status, _ detail: String
    ) {
        var answer = Problem(.validationFailed, detail)
            .answer(requestID: "refused", status: status)
        answer.headers[.connection] = "close"
        answer.headers[.contentLength] = String(answer.body.readableBytes)
        answer.headers[.requestID] = "refused"
        if bounds.isSecure { answer.headers.append(SecurityFields.strictTransport) }
        let head = HTTPResponseHead(
            version: .http1_1, status: .init(statusCode: status.code),
            headers: HTTPHeaders(answer.headers.map { ($0.name.rawName, $0.value) }))
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.write(wrapOutboundOut(.body(.byteBuffer(answer.body))), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        context.close(promise: nil)
    }

    // MARK: Time

    /// How late a deadline may be noticed. One timer a connection that moves on by itself: a
    /// request costs it no allocation.
    private static let tick = TimeAmount.seconds(2)

    private func schedule(_ context: ChannelHandlerContext) {
        let loopBound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        let next = min(deadline, .now() + Self.tick)
        timer = context.eventLoop.scheduleTask(deadline: next) {
            let (handler, context) = loopBound.value
            handler.look(context)
        }
    }

    /// For a deadline that has to be met sooner than the next tick.
    private func setDeadline(_ next: NIODeadline, _ context: ChannelHandlerContext) {
        deadline = next
        timer?.cancel()
        schedule(context)
    }

    private func look(_ context: ChannelHandlerContext) {
        guard deadline <= .now() else { return schedule(context) }
        context.close(promise: nil)
    }
}

/// Tells the guard of bytes before the parser has made anything of them: a head that arrives byte
/// by byte on a kept connection is on the clock from its first one.
final class ArrivalWatch: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer

    private let watched: ConnectionGuard

    init(_ watched: ConnectionGuard) { self.watched = watched }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        watched.bytesArrived()
        context.fireChannelRead(data)
    }
}
