import Domain
import NIOSSL

/// A name that a certificate is for: what its subjectAltName lists. The common name is not looked
/// at, as clients do not either (RFC 9525, 2).
enum CertificateName: Equatable, Sendable {
    /// In lower case; the first label may be `*`.
    case domain(String)
    case address(IPAddress)

    /// - Parameter host: as in a URL, an IPv6 address in its brackets.
    func covers(_ host: String) -> Bool {
        let bare = host.hasPrefix("[") ? host.dropFirst().dropLast() : host[...]
        switch self {
        case .address(let address): return IPAddress(bare) == address
        case .domain(let name):
            let host = bare.lowercased()
            guard name.hasPrefix("*.") else { return host == name }
            // The star is one whole label (RFC 9525, 6.3).
            guard let dot = host.firstIndex(of: "."), dot != host.startIndex else { return false }
            return host[dot...] == name.dropFirst()
        }
    }

    /// The host in an origin such as `https://id.example.com:8443`.
    static func host(of origin: String) -> String {
        let authority = origin.drop { $0 != "/" }.drop { $0 == "/" }
        if authority.hasPrefix("[") { return authority.prefix { $0 != "]" } + "]" }
        return String(authority.prefix { $0 != ":" })
    }
}

extension CertificateName: CustomStringConvertible {
    var description: String {
        switch self {
        case .domain(let name): name
        case .address(let address): address.description
        }
    }
}

extension NIOSSLCertificate {
    /// NIOSSL spells it with an underscore; it is the one way to the names without a second X.509
    /// library.
    var names: [CertificateName] {
        _subjectAlternativeNames().compactMap { name in
            switch name.nameType {
            case .dnsName:
                .domain(String(decoding: name.contents, as: UTF8.self).lowercased())
            case .ipAddress: IPAddress(octets: Array(name.contents)).map { .address($0) }
            default: nil
            }
        }
    }
}

extension IPAddress {
    /// Four octets or sixteen, as certificates hold them.
    init?(octets: [UInt8]) {
        switch octets.count {
        case 4: self.init(octets.map { String($0) }.joined(separator: "."))
        case 16:
            let groups = stride(from: 0, to: 16, by: 2).map { index in
                String(UInt16(octets[index]) << 8 | UInt16(octets[index + 1]), radix: 16)
            }
            self.init(groups.joined(separator: ":"))
        default: return nil
        }
    }
}
