import Domain
import HummingbirdCore
import Logging
import NIOCore
import NIOSSL

/// HTTP/1.1 behind TLS. Each connection begins with the certificate of that moment; the framework's
/// own TLS channel keeps one for good.
///
/// The guard's clock runs from the first moment, so the handshake and the first request's head
/// share `server.header_timeout`. No HTTP/2: the gate's answers on the event loop and the guard's
/// bounds are made for one request after the other.
struct SecureChannel: ServerChildChannel {
    let http: HTTP1Channel
    let files: TLSFiles

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<HTTP1Channel.Value> {
        channel.eventLoop.makeCompletedFuture {
            try channel.pipeline.syncOperations.addHandlers([
                PlainRequestRefusal(), NIOSSLServerHandler(context: files.context),
            ])
        }.flatMap { http.setup(channel: channel, logger: logger) }
    }

    func handle(value: HTTP1Channel.Value, logger: Logger) async {
        await http.handle(value: value, logger: logger)
    }
}

/// Tells a client that speaks plain HTTP here that it should not, in words that it understands, and
/// closes. Looks at the first byte alone.
final class PlainRequestRefusal: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private var isRefused = false

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isRefused else { return }
        // A method begins with a letter, a TLS record with its type, 20 to 23 (RFC 8446, 5.1).
        let first = unwrapInboundIn(data).readableBytesView.first ?? 0
        guard (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(first) else {
            context.fireChannelRead(data)
            context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
            return
        }
        isRefused = true
        context.writeAndFlush(wrapOutboundOut(Self.answer), promise: nil)
        context.close(promise: nil)
    }

    private static let answer: ByteBuffer = {
        let answer = Problem(.validationFailed, "This port speaks TLS: use https://.")
            .answer(requestID: "refused", status: .badRequest)
        var buffer = ByteBuffer(string: "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n")
        for field in answer.headers {
            buffer.writeString("\(field.name.rawName): \(field.value)\r\n")
        }
        buffer.writeString("X-Request-Id: refused\r\n")
        buffer.writeString("Content-Length: \(answer.body.readableBytes)\r\n\r\n")
        buffer.writeImmutableBuffer(answer.body)
        return buffer
    }()
}
