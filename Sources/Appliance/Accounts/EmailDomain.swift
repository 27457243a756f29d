import CIDN2
import Domain

extension EmailAddress {
    /// Reads an address from outside; the domain goes through IDNA 2008 (libidn2), so
    /// `BÜCHER.example` and its ASCII form are one address.
    package init?(_ text: String) {
        guard text.utf8.count <= 4 * Self.bytesMax else { return nil }
        self.init(text, asciiDomain: Self.asciiDomain)
    }

    private static func asciiDomain(_ name: String) -> String? {
        var converted: UnsafeMutablePointer<CChar>?
        let flags = Int32(IDN2_NFC_INPUT.rawValue) | Int32(IDN2_NONTRANSITIONAL.rawValue)
        guard idn2_to_ascii_8z(name, &converted, flags) == IDN2_OK.rawValue, let converted else {
            return nil
        }
        defer { idn2_free(converted) }
        return String(cString: converted)
    }
}
