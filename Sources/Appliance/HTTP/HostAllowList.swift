import Domain
import Hummingbird

/// The names that this server answers to: links and cookies are made for them, and a request under
/// another name is a mistake or DNS rebinding (security R2). Calls that proxies and probes make on
/// behalf of other names are let through.
struct HostAllowList: Sendable {
    private let hosts: Set<String>
    /// The spellings that nearly every request has, which spares taking them apart.
    private let usual: Set<String>
    private static let anyHost: Set<String> = ["/api/v1/gate", "/healthz", "/readyz"]

    init(_ configuration: Configuration) {
        let origin = configuration.publicURL.drop { $0 != "/" }.drop { $0 == "/" }
        let names = Set(
            ["localhost", "127.0.0.1", "[::1]", Self.host(String(origin))]
                + [Self.host(configuration.server.listen.description)]
                + configuration.server.allowedHosts)
        hosts = names
        usual = names.union(names.map { "\($0):\(configuration.server.listen.port)" })
    }

    func allows(_ request: Request) -> Bool {
        if let authority = request.head.authority,
            usual.contains(authority) || hosts.contains(Self.host(authority))
        {
            return true
        }
        return Self.anyHost.contains(request.uri.path)
    }

    private static func host(_ authority: String) -> String {
        if authority.hasPrefix("[") {
            return authority.prefix { $0 != "]" }.lowercased() + "]"
        }
        return authority.prefix { $0 != ":" }.lowercased()
    }
}
