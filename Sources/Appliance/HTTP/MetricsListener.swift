import Domain
import Logging
import NIOCore
import ServiceLifecycle

/// `/metrics` on a listener of its own, which is not the public one (security G5): by default only
/// this machine reaches it. Plain HTTP, with the bounds of the other.
struct MetricsListener: Service {
    let appliance: Appliance
    let endpoint: Endpoint
    let onListening: @Sendable () -> Void

    func run() async throws {
        let lookout = Lookout(appliance)
        let server = appliance.application(
            responder: appliance.front(
                [appliance.metricsRoute(lookout)], hosts: { $0.metricsHosts }),
            endpoint: endpoint, gatekeeping: nil, tls: nil
        ) { [logger = appliance.logger, onListening] channel in
            let address = channel.localAddress.map(Self.text) ?? ""
            logger.info("listening for metrics", metadata: ["address": "\(address)"])
            onListening()
        }
        // Cancelled and waited for when the server has ended.
        async let _: Void = lookout.serve()
        async let _: Void = lookout.serveUsage()
        do {
            try await server.run()
        } catch {
            throw CommandRefusal(.inUse, "Cannot listen on \(told) (metrics.listen): \(error).")
        }
    }

    private var told: String {
        guard case .address(let address) = endpoint else { return "the inherited socket" }
        return address.description
    }

    private static func text(_ address: SocketAddress) -> String {
        guard let host = address.ipAddress, let port = address.port else { return "\(address)" }
        return "http://\(ListenAddress(host: host, port: port))"
    }
}

extension Appliance {
    /// None without `metrics.listen` and without a socket.
    ///
    /// - Parameter sockets: listening sockets that are open already; they count instead.
    func metricsListener(
        sockets: [Int32], onListening: @escaping @Sendable () -> Void
    ) -> MetricsListener? {
        let address = configuration.metrics.listen.map { Endpoint.address($0) }
        return (sockets.isEmpty ? address : .inherited(sockets)).map {
            MetricsListener(appliance: self, endpoint: $0, onListening: onListening)
        }
    }
}
