// The standard library normalises text for its own comparisons but does not offer the result as
// API; this SPI is what Foundation itself is built on, and spares the binary ICU's 30 MB of data.
@_spi(_Unicode) import Swift

/// What every text from outside is held to.
package enum Text {
    /// Unicode Normalization Form C: the one spelling in which texts are hashed, stored, compared.
    package static func nfc(_ text: String) -> String {
        // ASCII is its own normal form, and nearly all text here is ASCII.
        if text.utf8.allSatisfy({ $0 < 0x80 }) { return text }
        return String(String.UnicodeScalarView(text._nfc))
    }

    /// Without capitals, in every script: what texts are compared by when somebody searches.
    package static func lowered(_ text: String) -> String { nfc(text.lowercased()) }

    /// Control, format and unassigned characters, separators other than the space, private use:
    /// characters that let one text pass for another, or break a header, a log line or a terminal.
    package static func hasUnsafeCharacter(_ text: String) -> Bool {
        text.unicodeScalars.contains { scalar in
            if scalar.value >= 0x20 && scalar.value < 0x7F { return false }
            switch scalar.properties.generalCategory {
            case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator,
                .paragraphSeparator:
                return true
            default:
                return false
            }
        }
    }
}
