import Domain
import Testing

@Suite("EmailAddress")
struct EmailAddressTests {
    private func read(_ text: String) -> String? {
        EmailAddress(text) { $0 == "münchen.de" ? "xn--mnchen-3ya.de" : $0 }?.description
    }

    @Test(
        "An address is trimmed, in lower case, and its domain in ASCII",
        arguments: [
            ("ann@example.com", "ann@example.com"), ("  Ann@Example.COM ", "ann@example.com"),
            ("ann+tag@example.com", "ann+tag@example.com"), ("a.b-c_d@x.co.uk", "a.b-c_d@x.co.uk"),
            ("!#$%&'*+-/=?^_`{|}~@example.com", "!#$%&'*+-/=?^_`{|}~@example.com"),
            ("ann@münchen.de", "ann@xn--mnchen-3ya.de"),
            ("ann@mu\u{308}nchen.de", "ann@xn--mnchen-3ya.de"),
        ])
    func canonical(text: String, expected: String) {
        #expect(read(text) == expected)
    }

    @Test(
        "Texts that are no address, or could pass for another, are refused",
        arguments: [
            "", "ann", "@", "@example.com", "ann@", "ann@localhost", "ann@example", "ann@.com",
            "ann@example..com", "ann@example.com.", "ann@-example.com", "ann@example-.com",
            "ann@exa mple.com", "ann@exa_mple.com", ".ann@example.com", "ann.@example.com",
            "a..b@example.com", "a b@example.com", "\"ann\"@example.com", "ann(x)@example.com",
            "a@b@example.com", "ann@example.com\n", "\tann@example.com", "ann\r\n@example.com",
            "ann\0@example.com", "ann\u{200B}@example.com", "ann\u{202E}@example.com",
            "аnn@example.com", "änn@example.com", "ann@[127.0.0.1]", "<ann@example.com>",
            "ann,bob@example.com", "ann@exämple.com",
        ])
    func refused(text: String) {
        #expect(read(text) == nil)
    }

    @Test("A character whose lower case is ASCII does not pass for it")
    func kelvin() {
        #expect(read("\u{212A}ate@example.com") == nil)
    }

    @Test("A domain that has no IDNA form is refused")
    func noDomain() {
        #expect(EmailAddress("ann@example.com") { _ in nil } == nil)
    }

    @Test("64 bytes before the @ and 254 in all are the most")
    func lengths() {
        let local = String(repeating: "a", count: 64)
        #expect(read(local + "@example.com") != nil)
        #expect(read(local + "a@example.com") == nil)
        let label = String(repeating: "b", count: 63)
        let domain = [label, label, String(repeating: "c", count: 57), "com"].joined(separator: ".")
        #expect((local + "@" + domain).utf8.count == 254)
        #expect(read(local + "@" + domain) != nil)
        #expect(read(local + "@c" + domain) == nil)
        #expect(read("ann@" + label + "b.com") == nil)
    }
}
