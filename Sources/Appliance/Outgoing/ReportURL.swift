import Domain

/// Where reports go: traces to a collector, errors to Sentry. The operator names it in the
/// configuration, so unlike an address that a customer chooses (security W1) it may be plain HTTP
/// and inside a private network; redirects are not followed and answers are bounded all the same.
package struct ReportURL: Sendable, Equatable, CustomStringConvertible {
    let isSecure: Bool
    /// Without the brackets of an IPv6 address.
    let host: String
    let port: Int
    /// Empty, or begins with a slash; never ends with one.
    let path: String

    /// Nil for anything but `http` or `https`, a host, perhaps a port and a path.
    init?(_ text: String) {
        guard let scheme = ["https://", "http://"].first(where: text.hasPrefix),
            text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }),
            !text.contains(where: { "?#@\\\"".contains($0) })
        else { return nil }
        isSecure = scheme == "https://"
        let rest = text.dropFirst(scheme.count)
        let authority = rest.prefix { $0 != "/" }
        var path = rest.dropFirst(authority.count)
        while path.hasSuffix("/") { path = path.dropLast() }
        self.path = String(path)
        let standardPort = isSecure ? 443 : 80
        if let address = ListenAddress(String(authority)), address.port > 0 {
            host = address.host
            port = address.port
        } else if let address = ListenAddress("\(authority):\(standardPort)") {
            host = address.host
            port = standardPort
        } else {
            return nil
        }
    }

    private init(_ base: ReportURL, path: String) {
        isSecure = base.isSecure
        host = base.host
        port = base.port
        self.path = path
    }

    func appending(_ more: String) -> ReportURL { ReportURL(self, path: path + more) }

    /// As a `Host` header has it.
    var authority: String {
        let name = host.contains(":") ? "[\(host)]" : host
        return port == (isSecure ? 443 : 80) ? name : "\(name):\(port)"
    }

    package var description: String { (isSecure ? "https://" : "http://") + authority + path }
}
