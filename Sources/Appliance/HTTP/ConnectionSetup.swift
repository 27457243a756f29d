import NIOCore
import NIOHTTPTypesHTTP1

/// Puts our handlers where they belong on a new connection. The framework adds what it is given
/// behind its own codec; ours work on plain HTTP/1 before it.
final class ConnectionSetup: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = Never

    private let bounds: ConnectionGuard.Bounds

    init(_ bounds: ConnectionGuard.Bounds) { self.bounds = bounds }

    func handlerAdded(context: ChannelHandlerContext) {
        let pipeline = context.pipeline.syncOperations
        let connectionGuard = ConnectionGuard(bounds)
        do {
            let codec = try pipeline.handler(type: HTTP1ToHTTPServerCodec.self)
            try pipeline.addHandler(ArrivalWatch(connectionGuard), position: .first)
            try pipeline.addHandler(connectionGuard, position: .before(codec))
            pipeline.removeHandler(context: context, promise: nil)
        } catch {
            // Without its guard a connection is not served.
            context.close(promise: nil)
        }
    }
}
