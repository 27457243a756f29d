import NIOCore

/// The socket's side of a link: bytes, order and time. On its event loop alone.
final class RedisHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let link: RedisLink
    private let onMessage: (@Sendable (String, [UInt8]) -> Void)?
    private var parser = RedisReplyParser()
    /// Written and not answered, oldest first.
    private var sent = CircularBuffer<RedisLink.Order>()
    private var heardAt = NIODeadline.now()
    private var isFinishing = false
    private var timer: Scheduled<Void>?
    /// Nil before the connection is there, and after its end.
    private var context: ChannelHandlerContext?
    /// Answered since the link was told last.
    private var answered = (count: 0, bytes: 0)

    init(_ link: RedisLink, onMessage: (@Sendable (String, [UInt8]) -> Void)?) {
        self.link = link
        self.onMessage = onMessage
    }

    /// The connection is there; with TLS, what is written waits for the handshake.
    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        heardAt = .now()
        watch()
    }

    // MARK: Commands

    /// Writes all that was put since the last time.
    func flush() {
        guard let context else { return }
        let orders = link.takeFresh()
        guard !orders.isEmpty else { return }
        let bytes = orders.reduce(0) { $0 + $1.command.bytes.count }
        var buffer = context.channel.allocator.buffer(capacity: bytes)
        for order in orders {
            buffer.writeBytes(order.command.bytes)
            sent.append(order)
        }
        context.writeAndFlush(wrapOutboundOut(buffer), promise: nil)
    }

    /// The link takes no more.
    func finish() {
        isFinishing = true
        flush()
        endIfAnswered()
    }

    private func endIfAnswered() {
        if isFinishing, sent.isEmpty { end(.away("the client is closed")) }
    }

    // MARK: Answers

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        heardAt = .now()
        parser.append(unwrapInboundIn(data))
        do throws(RedisReplyParser.Unreadable) {
            while self.context != nil, let reply = try parser.next() { take(reply) }
        } catch {
            end(.away("the server does not answer as Redis does: \(error.reason)"))
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if answered.count > 0 {
            link.didAnswer(answered.count, bytes: answered.bytes)
            answered = (0, 0)
        }
        endIfAnswered()
        context.fireChannelReadComplete()
    }

    private func take(_ reply: RedisReply) {
        if let onMessage, case .array(let parts) = reply, parts.count == 3,
            parts[0].text == "message", case .bytes(let message) = parts[2]
        {
            onMessage(parts[1].text ?? "", message)
            return
        }
        guard let order = sent.popFirst() else {
            return end(.away("the server has answered what was not asked"))
        }
        answered = (answered.count + 1, answered.bytes + order.command.bytes.count)
        link.meter.answered(after: heardAt - order.putAt, isError: reply.isError)
        guard case .error(let words) = reply else { return order.answer(.success(reply)) }
        guard Self.isElsewhere(words) else { return order.answer(.failure(.refused(words))) }
        order.answer(.failure(.away(words)))
        end(.away(words))
    }

    /// This server has become a replica, or is one that has lost its primary, or is still reading
    /// its file: another connection may lead to one that can be used.
    private static func isElsewhere(_ words: String) -> Bool {
        ["READONLY ", "MASTERDOWN ", "LOADING "].contains { words.hasPrefix($0) }
    }

    // MARK: Time

    /// One timer for all: answers are in order, so the oldest command's time is up first.
    private func watch() {
        guard let context else { return }
        let moment = (sent.first?.putAt ?? heardAt) + link.timeout
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        timer = context.eventLoop.scheduleTask(deadline: moment) { bound.value.look() }
    }

    private func look() {
        let now = NIODeadline.now()
        if let oldest = sent.first {
            guard now < oldest.putAt + link.timeout else {
                return end(.away("no answer in time"))
            }
        } else if now >= heardAt + link.timeout {
            // A connection that is cut without a word looks like one where nothing happens.
            heardAt = now
            link.put(RedisCommand("PING")) { _ in }
        }
        watch()
    }

    // MARK: The end

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        end(.away("the connection failed: \(error)"))
    }

    func channelInactive(context: ChannelHandlerContext) {
        end(.away("the server closed the connection"))
        context.fireChannelInactive()
    }

    private func end(_ reason: RedisFailure) {
        guard let context else { return }
        self.context = nil
        answered = (0, 0)
        timer?.cancel()
        let unanswered = Array(sent) + link.didEnd(reason)
        sent.removeAll()
        context.close(promise: nil)
        link.meter.lost(unanswered.count)
        for order in unanswered { order.answer(.failure(reason)) }
    }
}
