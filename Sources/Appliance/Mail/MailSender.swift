import Domain

/// Who mails are from: `Name <address>` or an address alone, as `mail.from` has it.
package struct MailSender: Sendable, Equatable {
    /// Empty where there is none.
    package let name: String
    package let address: String
    /// False for a name of this machine alone, such as `gatehouse@localhost`: no mail server takes
    /// such a sender.
    package let isWorldWide: Bool

    /// Nil for what is no sender, and for anything with a control character: it stands in a header
    /// of every mail (security U2).
    package init?(_ text: String) {
        guard text.utf8.count <= 500, !Text.hasUnsafeCharacter(text) else { return nil }
        var name = ""
        var address = text
        if text.hasSuffix(">"), let open = text.lastIndex(of: "<") {
            name = Self.trimmed(text[..<open])
            address = String(text[text.index(after: open)...].dropLast())
        }
        if name.hasPrefix("\""), name.hasSuffix("\""), name.count >= 2 {
            name = String(name.dropFirst().dropLast())
        }
        guard !name.contains(where: { "<>\"\\".contains($0) }) else { return nil }
        self.name = name
        if let parsed = EmailAddress(address) {
            self.address = parsed.description
            isWorldWide = true
        } else {
            guard address.hasSuffix("@localhost"), EmailAddress("\(address).localdomain") != nil
            else { return nil }
            self.address = address
            isWorldWide = false
        }
    }

    /// What a letter calls us.
    package var service: String { name.isEmpty ? "Gatehouse" : name }

    private static func trimmed(_ text: Substring) -> String {
        String(text.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
    }
}
