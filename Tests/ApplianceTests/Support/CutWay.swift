import NIOCore
import NIOPosix
import Support
import Synchronization

/// Stands between a node and PostgreSQL, and takes the way between them away. All of it runs on
/// event loops: libpq blocks the threads of tasks while it connects through here.
final class CutWay: Sendable {
    enum State: Sendable {
        case open
        /// Connections end, and new ones too.
        case cut
        /// Nothing arrives any more, and nobody is told.
        case silent
    }

    private struct Contents {
        var state = State.open
        var channels: [any Channel] = []
        /// What will arrive once the way is open again.
        var held: [(bytes: ByteBuffer, to: any Channel)] = []
    }

    private let contents = Mutex(Contents())
    private let server: Int

    private init(to server: Int) { self.server = server }

    func turn(_ new: State) {
        contents.withLock { contents in
            contents.state = new
            guard new != .silent else { return }
            for (bytes, channel) in contents.held where new == .open {
                channel.writeAndFlush(bytes, promise: nil)
            }
            contents.held = []
            guard new == .cut else { return }
            for channel in contents.channels { channel.close(promise: nil) }
            contents.channels = []
        }
    }

    /// - Parameter body: gets the same URL by this way.
    static func run(
        to url: String, _ body: (CutWay, String) async throws -> Void
    ) async throws {
        let parts = url.split(separator: ":")
        guard let end = parts.last, let slash = end.firstIndex(of: "/"),
            let port = Int(end[..<slash])
        else { throw TemporaryFolder.Failure(what: "no port: \(url)") }
        let way = CutWay(to: port)
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelOption(.autoRead, value: false)
            .childChannelInitializer { way.join($0) }
            .bind(host: "127.0.0.1", port: 0).get()
        let own = listener.localAddress?.port ?? 0
        do {
            try await body(way, parts.dropLast().joined(separator: ":") + ":\(own)" + end[slash...])
        } catch {
            try await listener.close().get()
            throw error
        }
        try await listener.close().get()
    }

    private func join(_ client: any Channel) -> EventLoopFuture<Void> {
        guard enter(client) else { return client.close() }
        return ClientBootstrap(group: client.eventLoop)
            .channelInitializer { far in
                far.eventLoop.makeCompletedFuture {
                    try far.pipeline.syncOperations.addHandler(Carrier(self, to: client))
                }
            }
            .connect(host: "127.0.0.1", port: server)
            .flatMapThrowing { far in
                _ = self.enter(far)
                try client.pipeline.syncOperations.addHandler(Carrier(self, to: far))
            }
            .flatMap { client.setOption(.autoRead, value: true) }
    }

    private func enter(_ channel: any Channel) -> Bool {
        contents.withLock { contents in
            guard contents.state != .cut else { return false }
            contents.channels.append(channel)
            return true
        }
    }

    fileprivate func pass(_ bytes: ByteBuffer, to channel: any Channel) {
        contents.withLock { contents in
            switch contents.state {
            case .open: channel.writeAndFlush(bytes, promise: nil)
            case .silent: contents.held.append((bytes, channel))
            case .cut: break
            }
        }
    }

    private final class Carrier: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private let way: CutWay
        private let other: any Channel

        init(_ way: CutWay, to other: any Channel) {
            self.way = way
            self.other = other
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            way.pass(unwrapInboundIn(data), to: other)
        }

        func channelInactive(context: ChannelHandlerContext) { other.close(promise: nil) }
    }
}
