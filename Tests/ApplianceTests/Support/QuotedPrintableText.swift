/// Reads quoted-printable text back, for what tests look for in a mail.
enum QuotedPrintableText {
    static func decode(_ text: String) -> String {
        var decoded: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "=") else {
                decoded.append(byte)
                continue
            }
            let pair = rest.prefix(2)
            rest = rest.dropFirst(2)
            if let value = UInt8(String(decoding: pair, as: UTF8.self), radix: 16) {
                decoded.append(value)
            }
        }
        return String(decoding: decoded, as: UTF8.self)
    }
}
