import Domain
import NIOCore
import NIOSSL
import NIOTLS

/// The socket's side of a conversation: bytes, TLS and time. On its event loop alone.
final class SMTPHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    struct Timeouts: Sendable {
        let step: TimeAmount
        let verdict: TimeAmount

        init(_ step: Duration) {
            self.step = TimeAmount(step)
            // RFC 5321, 4.5.3.2 has 10 minutes for this and 5 at most for the rest.
            verdict = TimeAmount(step * 10)
        }
    }

    private var conversation: SMTPConversation
    private let beginsSecure: Bool
    private let security: ClientTLS?
    private let timeouts: Timeouts
    private let outcome: EventLoopPromise<Void>
    private var isDecided = false
    private var deadline: Scheduled<Void>?

    init(
        _ conversation: SMTPConversation, beginsSecure: Bool, security: ClientTLS?,
        timeouts: Timeouts, outcome: EventLoopPromise<Void>
    ) {
        self.conversation = conversation
        self.beginsSecure = beginsSecure
        self.security = security
        self.timeouts = timeouts
        self.outcome = outcome
    }

    /// The connection is there.
    func handlerAdded(context: ChannelHandlerContext) { wait(context) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        carryOut(conversation.received(unwrapInboundIn(data).readableBytesView), context)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .handshakeCompleted? = event as? TLSUserEvent, !beginsSecure {
            carryOut(conversation.didSecure(), context)
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        carryOut(conversation.lost("the connection to the mail server failed: \(error)"), context)
    }

    func channelInactive(context: ChannelHandlerContext) {
        carryOut(conversation.lost("the mail server closed the connection"), context)
        deadline?.cancel()
        context.fireChannelInactive()
    }

    private func carryOut(
        _ actions: [SMTPConversation.Action], _ context: ChannelHandlerContext
    ) {
        for action in actions {
            switch action {
            case .send(let bytes):
                let buffer = context.channel.allocator.buffer(bytes: bytes)
                context.writeAndFlush(wrapOutboundOut(buffer), promise: nil)
            case .secure: secure(context)
            case .delivered: decide(.success(()))
            case .failed(let failure): decide(.failure(failure))
            case .close:
                deadline?.cancel()
                context.close(promise: nil)
                return
            }
        }
        if !actions.isEmpty { wait(context) }
    }

    private func secure(_ context: ChannelHandlerContext) {
        do {
            guard let security else { return }
            try context.pipeline.syncOperations.addHandler(security.handler(), position: .first)
        } catch {
            carryOut(conversation.lost("TLS cannot begin: \(error)"), context)
        }
    }

    private func decide(_ result: Result<Void, any Error>) {
        guard !isDecided else { return }
        isDecided = true
        outcome.completeWith(result)
    }

    /// Each step has its time from the end of the one before: a server that sends a byte now and
    /// then gets no more of it.
    private func wait(_ context: ChannelHandlerContext) {
        deadline?.cancel()
        let time = conversation.awaitsVerdict ? timeouts.verdict : timeouts.step
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        deadline = context.eventLoop.scheduleTask(in: time) {
            let (handler, context) = bound.value
            handler.carryOut(
                handler.conversation.lost("the mail server did not answer in time"), context)
        }
    }
}
