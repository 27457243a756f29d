/// An e-mail address in the one form that accounts are unique by: trimmed, lower case, the domain
/// in its ASCII form.
///
/// The part before the @ is ASCII without quotes or comments: what lies beyond lets one address
/// pass for another to the eye (security U1), and mail to it bounces at most servers anyway.
package struct EmailAddress: Hashable, Sendable, CustomStringConvertible {
    package let description: String

    /// RFC 5321, 4.5.3.1.3 less the angle brackets.
    package static let bytesMax = 254
    private static let localBytesMax = 64

    /// A value that an earlier call of the other initialiser made.
    package init(canonical: String) { description = canonical }

    /// `asciiDomain` is the IDNA 2008 conversion (nil for a name that has none), an argument
    /// because it comes from a C library and this layer has none.
    package init?(_ text: String, asciiDomain: (String) -> String?) {
        let trimmed = text.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed()
        let whole = String(trimmed)
        guard !Text.hasUnsafeCharacter(whole), let at = whole.lastIndex(of: "@") else { return nil }
        // Checked before it is lower-cased: the Kelvin sign becomes a plain k.
        guard Self.isLocalPart(String(whole[..<at])),
            let domain = asciiDomain(Text.nfc(String(whole[whole.index(after: at)...]))),
            Self.isDomain(domain.lowercased())
        else { return nil }
        let canonical = whole[..<at].lowercased() + "@" + domain.lowercased()
        guard canonical.utf8.count <= Self.bytesMax else { return nil }
        description = canonical
    }

    /// RFC 5322 dot-atom.
    private static func isLocalPart(_ text: String) -> Bool {
        let symbols = Set("!#$%&'*+-/=?^_`{|}~.".utf8)
        return (1...localBytesMax).contains(text.utf8.count) && !text.hasPrefix(".")
            && !text.hasSuffix(".") && !text.contains("..")
            && text.utf8.allSatisfy { Base62.isDigit($0) || symbols.contains($0) }
    }

    /// Two or more labels of letters, digits and inner hyphens.
    private static func isDomain(_ text: String) -> Bool {
        let labels = text.split(separator: ".", omittingEmptySubsequences: false)
        return labels.count >= 2
            && labels.allSatisfy { label in
                (1...63).contains(label.utf8.count) && !label.hasPrefix("-")
                    && !label.hasSuffix("-")
                    && label.utf8.allSatisfy { Base62.isDigit($0) || $0 == UInt8(ascii: "-") }
            }
    }
}
