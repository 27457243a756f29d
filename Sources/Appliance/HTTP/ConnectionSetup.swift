import NIOCore
import NIOHTTPTypesHTTP1

/// Puts our handlers where they belong on a new connection. The framework adds what it is given
/// behind its own codec; ours work on plain HTTP/1 before it.
final class ConnectionSetup: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = Never

    private let bounds: ConnectionGuard.Bounds
    /// Whose gate is answered here; nil leaves it to the route.
    private let gatekeeping: Appliance?

    init(_ bounds: ConnectionGuard.Bounds, gatekeeping: Appliance?) {
        self.bounds = bounds
        self.gatekeeping = gatekeeping
    }

    func handlerAdded(context: ChannelHandlerContext) {
        let pipeline = context.pipeline.syncOperations
        let connectionGuard = ConnectionGuard(bounds)
        do {
            let codec = try pipeline.handler(type: HTTP1ToHTTPServerCodec.self)
            try pipeline.addHandler(ArrivalWatch(connectionGuard), position: .first)
            try pipeline.addHandler(connectionGuard, position: .before(codec))
            if let gatekeeping {
                try pipeline.addHandler(
                    GateHandler(appliance: gatekeeping, connectionGuard: connectionGuard),
                    position: .before(codec))
            }
            pipeline.removeHandler(context: context, promise: nil)
        } catch {
            // Without its guard a connection is not served.
            context.close(promise: nil)
        }
    }
}
