import Domain
import NIOCore
import NIOPosix
import NIOSSL

/// Nobody is there, or nobody who can be trusted. Says why, for the log.
struct Unreachable: Error {
    let reason: String
}

/// Where a server of another system listens.
enum ServerPlace: Sendable, Equatable, CustomStringConvertible {
    case host(String, port: Int)
    /// A socket in the file system.
    case socket(String)

    var description: String {
        switch self {
        case .host(let host, let port): "\(ListenAddress(host: host, port: port))"
        case .socket(let path): path
        }
    }

    /// Connects, and then adds the handlers: nothing is read before they are there, and they are
    /// there only on the one connection that was taken. Of a name with two addresses, two are
    /// begun.
    ///
    /// - Parameter tls: of a connection that is encrypted from its first byte.
    func connect(
        on loop: any EventLoop, timeout: TimeAmount, tls: ClientTLS?,
        _ addHandlers: @escaping @Sendable (ChannelPipeline.SynchronousOperations) throws -> Void
    ) async throws(Unreachable) -> any Channel {
        let bootstrap = ClientBootstrap(group: loop)
            .connectTimeout(timeout)
            .channelOption(.autoRead, value: false)
        let connection =
            switch self {
            case .host(let host, let port): bootstrap.connect(host: host, port: port)
            case .socket(let path): bootstrap.connect(unixDomainSocketPath: path)
            }
        let ready = connection.flatMap { channel in
            loop.makeCompletedFuture {
                let pipeline = channel.pipeline.syncOperations
                if let tls { try pipeline.addHandler(tls.handler()) }
                try addHandlers(pipeline)
            }
            .flatMap { channel.setOption(.autoRead, value: true) }
            .map { channel }
            .flatMapErrorThrowing { error in
                channel.close(promise: nil)
                throw error
            }
        }
        do {
            return try await ready.get()
        } catch {
            throw Unreachable(reason: Self.reason(error))
        }
    }

    /// Of the addresses that a name has, what the first one said.
    private static func reason(_ error: any Error) -> String {
        guard let failed = error as? NIOConnectionError else { return "\(error)" }
        if let first = failed.connectionErrors.first { return "\(first.error)" }
        return "there is no such host"
    }
}

/// TLS with one server.
struct ClientTLS: Sendable {
    let context: NIOSSLContext
    let host: String

    func handler() throws -> NIOSSLClientHandler {
        // Of an address there is no SNI; the certificate is then checked against the address.
        try NIOSSLClientHandler(
            context: context, serverHostname: IPAddress(host) == nil ? host : nil)
    }
}
