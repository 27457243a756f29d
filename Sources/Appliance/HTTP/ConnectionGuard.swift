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
/// was refused, then closes.
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
    }

    private let bounds: Bounds
    private var client: String?
    private var phase = Phase.head
    private var answersDue = 0
    private var deadline = NIODeadline.distantFuture
    private var timer: Scheduled<Void>?

    init(_ bounds: Bounds) { self.bounds = bounds }

    func handlerAdded(context: ChannelHandlerContext) {
        let client = Self.client(context.channel.remoteAddress)
        guard client.isEmpty || bounds.counts.open(client) else {
            context.close(promise: nil)
            return
        }
        self.client = client.isEmpty ? nil : client
        deadline = .now() + bounds.header
        schedule(context)
    }

    /// Who is counted: an IPv6 client by its network (security L3); empty for a Unix socket.
    private static func client(_ address: SocketAddress?) -> String {
        guard let text = address?.ipAddress else { return "" }
        return IPAddress(text.prefix { $0 != "%" })?.throttleKey ?? text
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        timer?.cancel()
        if let client { bounds.counts.close(client) }
        client = nil
    }

    /// Bytes came in, before it is known of what.
    func bytesArrived() {
        guard phase == .idle else { return }
        phase = .head
        deadline = .now() + bounds.header
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
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
            phase = .body
            deadline = .now() + bounds.body
        case .body: break
        case .end:
            phase = .answering
            answersDue += 1
            deadline = .now() + bounds.idle
        }
        context.fireChannelRead(data)
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
        if case .end = unwrapOutboundIn(data) { didAnswer() }
        context.write(data, promise: promise)
    }

    /// A whole answer is on its way.
    func didAnswer() {
        answersDue -= 1
        if answersDue == 0, phase == .answering { phase = .idle }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
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
