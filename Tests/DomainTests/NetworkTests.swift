import Domain
import Glibc
import Support
import Testing

@Suite("IPAddress and Network")
struct NetworkTests {
    @Test(
        "An address is written in the form of RFC 5952",
        arguments: [
            ("192.0.2.1", "192.0.2.1"), ("0.0.0.0", "0.0.0.0"), ("::", "::"), ("::1", "::1"),
            ("2001:db8::", "2001:db8::"), ("2001:0DB8:0:0:0:0:0:1", "2001:db8::1"),
            ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),
            ("2001:0:0:1:0:0:0:1", "2001:0:0:1::1"), ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
            ("1:0:0:0:0:0:0:0", "1::"), ("0:1:2:3:4:5:6:7", "0:1:2:3:4:5:6:7"),
            ("::ffff:192.0.2.1", "192.0.2.1"), ("::FFFF:C000:0201", "192.0.2.1"),
            ("64:ff9b::192.0.2.33", "64:ff9b::c000:221"), ("::192.0.2.1", "::c000:201"),
        ])
    func canonical(text: String, expected: String) {
        #expect(IPAddress(text)?.description == expected)
    }

    @Test("A mapped IPv4 address is the IPv4 address")
    func mapped() throws {
        let plain = try #require(IPAddress("192.0.2.1"))
        let mapped = try #require(IPAddress("::ffff:192.0.2.1"))
        #expect(plain == mapped)
        #expect(mapped.isV4)
        #expect(try #require(Network("192.0.2.0/24")).contains(mapped))
    }

    @Test(
        "Texts that are no address are refused",
        arguments: [
            "", " ", "1", "1.2.3", "1.2.3.4.5", "256.0.0.1", "01.2.3.4", "1.2.3.04", "1.2.3.-4",
            "1.2.3.+4", "1..2.3", "1.2.3.4 ", " 1.2.3.4", "1.2.3.4:80", "1,2,3,4", "0x1.2.3.4",
            "１.2.3.4", ":", ":::", "1::2::3", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9",
            "1:2:3:4:5:6:7::8",
            "12345::", "g::", "[::1]", "::1%eth0", "fe80::1%1", ":1::", "1:::2", "1:2:3:4:5:6:7:",
            "::1.2.3", "::1.2.3.256", "1.2.3.4::", "1.2.3.4::1", "1:2:3:4:5:6:7:1.2.3.4", "::+1",
            "::-0", "::-1", "1.2.3.4:5::", "localhost",
        ])
    func bad(text: String) {
        #expect(IPAddress(text) == nil)
    }

    @Test("The C library reads the same texts as addresses, with the same bits")
    func oracle() {
        let seed: UInt64 = 0x1946
        var random = SplitMix64(seed: seed)
        let parts = [
            "0", "1", "ff", "2001", "db8", "::", ":", ".", "1.2.3.4", "-", "+", "g", "00001",
        ]
        for _ in 0..<20_000 {
            let text = (0..<random.int(1...12)).map { _ in random.pick(parts) }.joined()
            #expect(
                IPAddress(text).map(\.description) == Self.library(text),
                "seed \(seed): \(text)")
        }
    }

    @Test("Any address comes back from its text")
    func roundTrip() {
        let seed: UInt64 = 0x5952
        var random = SplitMix64(seed: seed)
        for _ in 0..<5000 {
            let groups = (0..<8).map { _ in
                random.chance(50) ? 0 : UInt16(truncatingIfNeeded: random.next())
            }
            let text = groups.map { String($0, radix: 16) }.joined(separator: ":")
            let address = IPAddress(text)
            #expect(address != nil, "seed \(seed): \(text)")
            #expect(
                address.flatMap { IPAddress($0.description) } == address, "seed \(seed): \(text)")
            #expect(address?.description == Self.library(text), "seed \(seed): \(text)")
        }
    }

    /// `inet_pton` and, in groups of our own, RFC 5952: glibc writes `::1.2.3.4` for some.
    private static func library(_ text: String) -> String? {
        var v4 = in_addr()
        if inet_pton(AF_INET, text, &v4) == 1 {
            return withUnsafeBytes(of: v4) { $0.map { String($0) }.joined(separator: ".") }
        }
        var v6 = in6_addr()
        guard inet_pton(AF_INET6, text, &v6) == 1 else { return nil }
        let bytes = withUnsafeBytes(of: v6) { Array($0) }
        if bytes[..<12] == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF] {
            return bytes[12...].map { String($0) }.joined(separator: ".")
        }
        let groups = stride(from: 0, to: 16, by: 2).map {
            UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1])
        }
        return shortened(groups)
    }

    private static func shortened(_ groups: [UInt16]) -> String {
        func text(_ part: ArraySlice<UInt16>) -> String {
            part.map { String($0, radix: 16) }.joined(separator: ":")
        }
        for length in stride(from: 8, through: 2, by: -1) {
            for start in 0...(8 - length)
            where groups[start..<start + length].allSatisfy({ $0 == 0 }) {
                return text(groups[..<start]) + "::" + text(groups[(start + length)...])
            }
        }
        return text(groups[...])
    }

    @Test(
        "A client is throttled by its IPv4 address or its IPv6 network of 64 bits",
        arguments: [
            ("192.0.2.1", "192.0.2.1"), ("::ffff:192.0.2.1", "192.0.2.1"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"), ("2001:db8:1:2::", "2001:db8:1:2::/64"),
            ("::1", "::/64"),
        ])
    func throttleKey(text: String, key: String) {
        #expect(IPAddress(text)?.throttleKey == key)
    }

    @Test(
        "Loopback is known",
        arguments: [
            ("127.0.0.1", true), ("127.255.0.9", true), ("::1", true), ("::ffff:127.0.0.1", true),
            ("128.0.0.1", false), ("::2", false), ("::", false), ("::7f00:1", false),
        ])
    func loopback(text: String, isLoopback: Bool) {
        #expect(IPAddress(text)?.isLoopback == isLoopback)
    }

    @Test(
        "A network holds the addresses of its prefix and no others",
        arguments: [
            ("10.0.0.0/8", "10.255.255.255", true), ("10.0.0.0/8", "11.0.0.0", false),
            ("192.0.2.77/24", "192.0.2.1", true), ("192.0.2.77", "192.0.2.77", true),
            ("192.0.2.77", "192.0.2.78", false), ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "::1", false), ("::/0", "2001:db8::1", true), ("::/0", "1.2.3.4", false),
            ("192.0.2.0/31", "192.0.2.1", true), ("192.0.2.0/31", "192.0.2.2", false),
            ("2001:db8::/33", "2001:db8:7fff::1", true),
            ("2001:db8::/33", "2001:db8:8000::", false),
            ("2001:db8::1/128", "2001:db8::1", true), ("2001:db8::1", "2001:db8::2", false),
        ])
    func containment(network: String, address: String, isInside: Bool) throws {
        let network = try #require(Network(network))
        #expect(network.contains(try #require(IPAddress(address))) == isInside)
    }

    @Test("Containment agrees with comparing the leading bits")
    func containmentProperty() throws {
        let seed: UInt64 = 0x4632
        var random = SplitMix64(seed: seed)
        for _ in 0..<5000 {
            let base = UInt32(truncatingIfNeeded: random.next())
            let prefix = random.int(0...32)
            let other =
                base ^ UInt32(truncatingIfNeeded: random.next() >> UInt64(32 + random.int(0...31)))
            func text(_ bits: UInt32) -> String {
                [24, 16, 8, 0].map { String(bits >> $0 & 0xFF) }.joined(separator: ".")
            }
            let network = try #require(Network("\(text(base))/\(prefix)"))
            let address = try #require(IPAddress(text(other)))
            let shift = UInt64(32 - prefix)
            let isInside = UInt64(base) >> shift == UInt64(other) >> shift
            #expect(network.contains(address) == isInside, "seed \(seed): \(network) \(address)")
        }
    }

    @Test("A network has one spelling")
    func networkText() {
        #expect(Network("192.0.2.77/24")?.description == "192.0.2.0/24")
        #expect(Network("192.0.2.77")?.description == "192.0.2.77/32")
        #expect(Network("2001:DB8::9/32")?.description == "2001:db8::/32")
        #expect(Network("192.0.2.77/24") == Network("192.0.2.0/24"))
        #expect(Network("0.0.0.0/0")?.description == "0.0.0.0/0")
    }

    @Test(
        "Texts that are no network are refused",
        arguments: [
            "", "/", "/24", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8",
            "10.0.0.0/8/8",
            "10.0.0.0/ 8", "10.0.0/8", "::/129", "::/x", "10.0.0.0/255.0.0.0",
            "10.0.0.0/99999999999999999999",
        ])
    func badNetworks(text: String) {
        #expect(Network(text) == nil)
    }
}
