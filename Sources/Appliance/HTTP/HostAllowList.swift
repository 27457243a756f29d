import Domain
import Hummingbird

/// The names that this server answers to: links and cookies are made for them, and a request under
/// another name is a mistake or DNS rebinding (security R2). Calls that proxies and probes make on
/// behalf of other names are let through.
struct HostAllowList: Sendable {
    private let hosts: Set<String>
    /// The spellings that nearly every request has, which spares taking them apart.
    private let usual: Set<String>
    /// Any address will do, and no path is for any host.
    private let isForMetrics: Bool
    private static let anyHost: Set<String> = ["/api/v1/gate", "/healthz", "/readyz"]

    init(_ configuration: Configuration) {
        let origin = configuration.publicURL.drop { $0 != "/" }.drop { $0 == "/" }
        let names = Set(
            ["localhost", "127.0.0.1", "[::1]", Self.host(String(origin))]
                + [Self.host(configuration.server.listen.description)]
                + configuration.server.allowedHosts)
        hosts = names
        usual = names.union(names.map { "\($0):\(configuration.server.listen.port)" })
        isForMetrics = false
    }

    /// For the metrics listener, which is scraped by address, or inside a cluster by a name of
    /// `server.allowed_hosts`. A name that somebody made point to an address of ours is none.
    init(metrics configuration: Configuration) {
        let own = configuration.metrics.listen.map { [Self.host($0.description)] } ?? []
        hosts = Set(["localhost"] + own + configuration.server.allowedHosts)
        usual = []
        isForMetrics = true
    }

    func allows(_ request: Request) -> Bool {
        if let authority = request.head.authority,
            usual.contains(authority) || allows(host: Self.host(authority))
        {
            return true
        }
        return !isForMetrics && Self.anyHost.contains(request.uri.path)
    }

    private func allows(host: String) -> Bool {
        if hosts.contains(host) { return true }
        return isForMetrics && IPAddress(host.filter { $0 != "[" && $0 != "]" }) != nil
    }

    private static func host(_ authority: String) -> String {
        if authority.hasPrefix("[") {
            return authority.prefix { $0 != "]" }.lowercased() + "]"
        }
        return authority.prefix { $0 != ":" }.lowercased()
    }
}
