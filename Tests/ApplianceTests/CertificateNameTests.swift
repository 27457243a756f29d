import Domain
import Testing

@testable import Appliance

@Suite("Certificate names")
struct CertificateNameTests {
    @Test(
        "a name covers its host, and a star exactly one label",
        arguments: [
            ("id.example.com", "id.example.com", true), ("id.example.com", "ID.Example.COM", true),
            ("id.example.com", "example.com", false), ("id.example.com", "x.id.example.com", false),
            ("*.example.com", "id.example.com", true), ("*.example.com", "example.com", false),
            ("*.example.com", "a.b.example.com", false), ("*.example.com", ".example.com", false),
            ("*.example.com", "evilexample.com", false),
        ])
    func domain(_ name: String, _ host: String, _ isCovered: Bool) {
        #expect(CertificateName.domain(name).covers(host) == isCovered)
    }

    @Test("an address covers itself in every spelling, and no name does")
    func address() throws {
        let octets: [UInt8] = [0x20, 1, 0xD, 0xB8] + Array(repeating: 0, count: 11) + [1]
        let v6 = try #require(IPAddress(octets: octets))
        #expect(CertificateName.address(v6).covers("[2001:DB8:0::1]"))
        #expect(!CertificateName.address(v6).covers("[2001:db8::2]"))
        let v4 = try #require(IPAddress(octets: [192, 0, 2, 7]))
        #expect(CertificateName.address(v4).covers("192.0.2.7"))
        #expect(!CertificateName.domain("192.0.2.7").covers("192.0.2.8"))
        #expect(IPAddress(octets: [1, 2, 3]) == nil)
    }

    @Test(
        "the host of an origin is what stands between the slashes and the port",
        arguments: [
            ("https://id.example.com", "id.example.com"),
            ("https://id.example.com:8443", "id.example.com"),
            ("https://[2001:db8::1]:8443", "[2001:db8::1]"),
        ])
    func host(_ origin: String, _ host: String) {
        #expect(CertificateName.host(of: origin) == host)
    }
}
