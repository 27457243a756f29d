import Domain
import HTTPTypes
import Logging
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
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
/// one address has, how long an address line is. Says in problem+json why a request that is no HTTP
/// was refused, then closes.
final class ConnectionGuard: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundOut = HTTPResponsePart

    struct Bounds: Sendable {
        let header: TimeAmount
        let body: TimeAmount
        let idle: TimeAmount
        let counts: ConnectionCounts

        /// Octets of a request's address (security B3; RFC 9110, 4.1 asks for 8,000).
        static let targetBytesMax = 8 * 1024
        /// Octets of a request's head, and how many fields: enough for tokens and proxies'
        /// additions.
        static let headBytesMax = 32 * 1024
        static let fieldsMax = 100
    }

    private enum Phase { case head, body, answering }

    private let bounds: Bounds
    private var address: String?
    private var phase = Phase.head
    private var deadline = NIODeadline.distantFuture
    private var timer: Scheduled<Void>?

    init(_ bounds: Bounds) { self.bounds = bounds }

    func handlerAdded(context: ChannelHandlerContext) {
        let address = context.channel.remoteAddress?.ipAddress ?? ""
        guard address.isEmpty || bounds.counts.open(address) else {
            context.close(promise: nil)
            return
        }
        self.address = address.isEmpty ? nil : address
        deadline = .now() + bounds.header
        schedule(context)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        timer?.cancel()
        if let address { bounds.counts.close(address) }
        address = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            guard (head.path?.utf8.count ?? 0) <= Bounds.targetBytesMax else {
                refuse(context, .uriTooLong, "The address is longer than 8 KiB.")
                return
            }
            phase = .body
            deadline = .now() + bounds.body
        case .body: break
        case .end:
            // Until the next head: the answer's own time does not count as idling against bodies.
            phase = .answering
            deadline = .now() + bounds.idle
        }
        context.fireChannelRead(data)
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
        let head = HTTPResponse(status: status, headerFields: answer.headers)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.write(wrapOutboundOut(.body(answer.body)), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        context.close(promise: nil)
    }

    // MARK: Time

    /// One timer a connection, moved on when it fires: a request costs it no allocation.
    private func schedule(_ context: ChannelHandlerContext) {
        let loopBound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        timer = context.eventLoop.scheduleTask(deadline: deadline) {
            let (handler, context) = loopBound.value
            handler.timeIsUp(context)
        }
    }

    private func timeIsUp(_ context: ChannelHandlerContext) {
        guard deadline <= .now() else { return schedule(context) }
        context.close(promise: nil)
    }
}
