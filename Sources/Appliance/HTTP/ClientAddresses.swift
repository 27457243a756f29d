import Domain
import HTTPTypes
import Hummingbird
import NIOCore

/// Finds the client behind proxies: `X-Forwarded-For` counts only from a trusted peer, and is read
/// from the right until the first address that is not one of ours (security L3, F2).
struct ClientAddresses: Sendable {
    let trustedProxies: [Network]

    func address(of request: Request, from peer: SocketAddress?) -> IPAddress? {
        address(forwardedFor: request.headers[values: .forwardedFor], from: peer)
    }

    /// - Parameter forwardedFor: the values of each `X-Forwarded-For`, in their order.
    func address(forwardedFor: [String], from peer: SocketAddress?) -> IPAddress? {
        guard let text = peer?.ipAddress,
            let direct = IPAddress(Self.withoutZone(text))
        else {
            return nil
        }
        guard !trustedProxies.isEmpty, isTrusted(direct) else { return direct }
        let hops = forwardedFor.flatMap { $0.split(separator: ",") }
            .map { String($0.filter { $0 != " " }) }
        var nearest = direct
        for hop in hops.reversed() {
            // Something that is no address was not written by a proxy of ours.
            guard let address = IPAddress(Self.withoutPort(hop)) else { return nearest }
            nearest = address
            if !isTrusted(address) { return address }
        }
        return nearest
    }

    private func isTrusted(_ address: IPAddress) -> Bool {
        trustedProxies.contains { $0.contains(address) }
    }

    /// `fe80::1%eth0` is an address and a local interface.
    private static func withoutZone(_ text: String) -> Substring { text.prefix { $0 != "%" } }

    private static func withoutPort(_ text: String) -> String {
        if text.hasPrefix("["), let end = text.firstIndex(of: "]") {
            return String(text[text.index(after: text.startIndex)..<end])
        }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        return parts.count == 2 ? String(parts[0]) : text
    }
}
