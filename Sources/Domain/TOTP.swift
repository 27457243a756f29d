/// Time-based one-time passwords (RFC 6238 over RFC 4226) as authenticator apps make them: SHA-1,
/// six digits, another code every 30 s. Apps ignore other parameters or fail on them, and HMAC
/// does not need what SHA-1 has lost.
///
/// HMAC-SHA-1 is an argument, because it comes from a library and this layer has none.
package enum TOTP {
    package typealias MAC = (_ counter: [UInt8]) -> [UInt8]

    package static let digitCount = 6
    private static let stepSeconds: Int64 = 30
    /// Steps before and after the present one whose codes are right: for clocks that differ and for
    /// people who type slowly (RFC 6238, 5.2).
    private static let skewSteps: Int64 = 1
    /// 160 bits, the length of the hash (RFC 4226, 4, R6).
    package static let secretBytes = 20

    package static func step(at now: Timestamp) -> Int64 { Civil.floor(now.seconds, stepSeconds) }

    /// The code of one step; nil when `mac` is no HMAC-SHA-1.
    package static func code(of step: Int64, mac: MAC) -> String? {
        let counter = (0..<8).map { UInt8(truncatingIfNeeded: step >> (56 - 8 * $0)) }
        let hash = mac(counter)
        guard hash.count == 20 else { return nil }
        // Dynamic truncation (RFC 4226, 5.3).
        let offset = Int(hash[19] & 15)
        let number = hash[offset..<offset + 4].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        let text = String((number & 0x7FFF_FFFF) % 1_000_000)
        return String(repeating: "0", count: digitCount - text.utf8.count) + text
    }

    /// The step whose code this is; nil when it is none, or one of `last` or of a step before: a
    /// code is accepted once (RFC 6238, 5.2). Looks at every step, whichever is right.
    package static func match(
        _ code: String, at now: Timestamp, after last: Int64, mac: MAC
    ) -> Int64? {
        let present = step(at: now)
        var found: Int64?
        for step in present - skewSteps...present + skewSteps {
            let expected = self.code(of: step, mac: mac) ?? ""
            if ConstantTime.areEqual(code, expected), step > last { found = found ?? step }
        }
        return found
    }

    /// What an app reads from a QR code.
    ///
    /// - Parameter issuer: without a colon, which parts it from the account in the label.
    package static func uri(
        secret: [UInt8], account: EmailAddress, issuer: String
    ) -> String {
        let name = percentEncoded(issuer)
        return "otpauth://totp/\(name):\(percentEncoded(account.description))"
            + "?secret=\(Base32.encode(secret))&issuer=\(name)&algorithm=SHA1"
            + "&digits=\(digitCount)&period=\(stepSeconds)"
    }

    /// All but the unreserved characters (RFC 3986, 2.3) and the @ of an address.
    private static func percentEncoded(_ text: String) -> String {
        let plain = Set("-._~@".utf8)
        return text.utf8.reduce(into: "") { encoded, byte in
            if Base62.isDigit(byte) || plain.contains(byte) {
                encoded.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                encoded += "%" + Hex.text(of: CollectionOfOne(byte)).uppercased()
            }
        }
    }
}
