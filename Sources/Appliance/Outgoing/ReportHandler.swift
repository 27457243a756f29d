import NIOCore
import NIOHTTP1

/// One request and its answer, within a time. On its event loop alone.
final class ReportHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    struct Request: Sendable {
        let head: HTTPRequestHead
        let body: [UInt8]
    }

    /// An answer has a few words; what is more comes from something else.
    private static let answerBytesMax = 64 * 1024

    private let request: Request
    private let timeout: TimeAmount
    private let outcome: EventLoopPromise<ReportAnswer>
    private var isDecided = false
    private var deadline: Scheduled<Void>?
    private var head: HTTPResponseHead?
    private var body: [UInt8] = []

    init(_ request: Request, timeout: TimeAmount, outcome: EventLoopPromise<ReportAnswer>) {
        self.request = request
        self.timeout = timeout
        self.outcome = outcome
    }

    /// The connection is there; with TLS, what is written waits for the handshake.
    func handlerAdded(context: ChannelHandlerContext) {
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        deadline = context.eventLoop.scheduleTask(in: timeout) {
            let (handler, context) = bound.value
            handler.fail("no answer in time", context)
        }
        context.write(wrapOutboundOut(.head(request.head)), promise: nil)
        let body = context.channel.allocator.buffer(bytes: request.body)
        context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): self.head = head
        case .body(let part):
            guard body.count + part.readableBytes <= Self.answerBytesMax else {
                return fail("the answer is too long", context)
            }
            body.append(contentsOf: part.readableBytesView)
        case .end:
            guard let head else { return }
            decide(
                .success(
                    ReportAnswer(
                        status: Int(head.status.code), headers: head.headers, body: body)))
            context.close(promise: nil)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        fail("\(error)", context)
    }

    func channelInactive(context: ChannelHandlerContext) {
        decide(.failure(ReportFailure(reason: "the connection was closed")))
        context.fireChannelInactive()
    }

    private func fail(_ reason: String, _ context: ChannelHandlerContext) {
        decide(.failure(ReportFailure(reason: reason)))
        context.close(promise: nil)
    }

    private func decide(_ result: Result<ReportAnswer, any Error>) {
        guard !isDecided else { return }
        isDecided = true
        deadline?.cancel()
        outcome.completeWith(result)
    }
}
