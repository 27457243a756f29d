import CLinux
import Domain
import Glibc
import HummingbirdCore
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle

/// Where a server listens.
enum Endpoint: Sendable {
    case address(ListenAddress)
    case unixSocket(path: String)
    /// Sockets that a service manager has opened and keeps. They are closed at the end and never
    /// shut down: who connects meanwhile waits in the kernel for whoever listens next.
    case inherited([Int32])
}

/// Accepts connections and serves them until it is told to stop; then it drains.
///
/// The framework's own server cannot take a socket that is open already, and closes idle
/// connections and the listening socket at once. This one lets nobody go without an answer: answers
/// say `Connection: close` from the first moment (`Drain`), the socket stays open for `drainDelay`,
/// and who has a connection by then is served, also where it still waits in the kernel.
struct HTTPServer<Connection: ServerChildChannel>: Service {
    let connection: Connection
    let endpoint: Endpoint
    let connectionsMax: Int
    let drain: Drain
    /// How long to go on as before, but for `Connection: close`, once told to stop.
    let drainDelay: Duration
    let logger: Logger
    let onDraining: @Sendable () -> Void
    let onListening: @Sendable (any Channel) async -> Void

    private typealias Accepted = NIOAsyncChannel<Connection.Value, Never>

    /// Connections that may wait to be accepted; the kernel bounds it by net.core.somaxconn,
    /// which is 4096 by default.
    private static var backlog: Int32 { 4096 }

    func run() async throws {
        let listeners = try await bind()
        if let first = listeners.first { await onListening(first.channel) }
        await withDiscardingTaskGroup { group in
            group.addTask {
                // Cancelled when there is nothing left to accept.
                do { try await gracefulShutdown() } catch { return }
                await stop(listeners.map(\.channel))
            }
            await withDiscardingTaskGroup { accepting in
                for listener in listeners { accepting.addTask { await accept(listener) } }
            }
            group.cancelAll()
        }
    }

    private func accept(_ listener: Accepted) async {
        await withDiscardingTaskGroup { open in
            do {
                try await listener.executeThenClose { accepted in
                    for try await value in accepted {
                        open.addTask { await connection.handle(value: value, logger: logger) }
                    }
                }
            } catch {
                logger.error("connections cannot be accepted", metadata: ["cause": "\(error)"])
            }
        }
    }

    private func stop(_ listeners: [any Channel]) async {
        drain.begin()
        onDraining()
        if drainDelay > .zero { try? await Task.sleep(for: drainDelay) }
        drain.callLast()
        for listener in listeners {
            if case .address = endpoint { await takeTheLast(listener) }
            // First no more is taken from the kernel, then what was taken reaches its handlers,
            // then the socket is closed: NIO drops a connection whose listener is gone.
            try? await listener.setOption(.autoRead, value: false).get()
            await Self.settle()
            try? await listener.close()
        }
    }

    /// What a handshake that had begun may still take: with a proxy nearby, not round the earth.
    private static var handshake: Duration { .milliseconds(20) }
    /// Some fifty times what it takes to accept those that wait.
    private static var takingLooksMax: Int { 50 }

    /// Closing resets the connections that wait to be accepted; who made one of them has sent a
    /// request on it, and cannot tell whether it was carried out. So first the kernel lets nobody
    /// else in, and all who are in are taken. Who comes meanwhile hears nothing, tries again after
    /// a second (RFC 6298, 2) and finds the port closed: we were not asked, and another one is.
    ///
    /// Not for sockets that are inherited: who waits there waits for the next process.
    private func takeTheLast(_ listener: any Channel) async {
        guard let socket = listener as? any SocketOptionProvider else { return }
        do {
            try await socket.unsafeSetSocketOption(
                level: .socket, name: NIOBSDSocket.Option(rawValue: SO_ATTACH_FILTER),
                value: gatehouse_no_new_connections()
            ).get()
            for _ in 0..<Self.takingLooksMax {
                try? await Task.sleep(for: Self.handshake)
                // Of a listening socket: how many wait.
                if try await socket.getTCPInfo().get().tcpi_unacked == 0 { return }
            }
        } catch {
            logger.warning(
                "who connects while the port is closed may be cut off",
                metadata: ["cause": "\(error)"])
        }
    }

    /// Until every event loop has done what it had to do.
    private static func settle() async {
        // To the connection's loop, and back to the listener's.
        for _ in 0..<2 {
            for loop in MultiThreadedEventLoopGroup.singleton.makeIterator() {
                try? await loop.submit {}.get()
            }
        }
    }

    // MARK: Sockets

    private func bind() async throws -> [Accepted] {
        let bootstrap = bootstrap
        let setUp: @Sendable (any Channel) -> EventLoopFuture<Connection.Value> = {
            connection.setup(channel: $0, logger: logger)
        }
        switch endpoint {
        case .address(let address):
            return [
                try await bootstrap.bind(
                    host: address.host, port: address.port, childChannelInitializer: setUp)
            ]
        case .unixSocket(let path):
            return [
                try await bootstrap.bind(
                    unixDomainSocketPath: path, cleanupExistingSocketFile: true,
                    childChannelInitializer: setUp)
            ]
        case .inherited(let descriptors):
            var listeners: [Accepted] = []
            for descriptor in descriptors {
                listeners.append(
                    try await bootstrap.bind(descriptor, childChannelInitializer: setUp))
                // NIO has shortened the queue of a socket that it did not open.
                _ = listen(descriptor, Self.backlog)
            }
            return listeners
        }
    }

    private var bootstrap: ServerBootstrap {
        ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.backlog, value: Self.backlog)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .serverChannelInitializer { [connectionsMax] channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        AvailableConnectionsChannelHandler(
                            delegate: MaximumAvailableConnections(connectionsMax)))
                }
            }
    }
}
