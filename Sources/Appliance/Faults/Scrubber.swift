import Domain

/// Takes out of a text what must not leave the machine, whoever wrote it (security G1). The rules
/// of the house keep secrets out of causes; this is for the day when one of them is broken.
enum Scrubber {
    private static let textMax = 2000
    private static let removed = "[scrubbed]"
    private static let separators = Set(" \t\r\n\"'<>(),;=:{}[]&?#".unicodeScalars)
    /// What stands behind one of these and a `=` or a `:` is a credential.
    private static let names: Set<String> = [
        "password", "secret", "token", "otp", "cookie", "api_key", "x-api-key",
    ]
    /// What stands behind one of these is.
    private static let schemes: Set<String> = ["bearer", "basic"]

    static func scrub(_ text: String) -> String {
        var scrubbed = String.UnicodeScalarView()
        var word = String.UnicodeScalarView()
        var isNamed = false
        var isCredential = false
        func endWord() {
            guard !word.isEmpty else { return }
            let shown = String(word)
            scrubbed += isCredential || isSecret(shown) ? removed.unicodeScalars : word
            let name = shown.lowercased()
            isNamed = names.contains(name)
            isCredential = schemes.contains(name)
            word = String.UnicodeScalarView()
        }
        for scalar in text.unicodeScalars.prefix(textMax) {
            guard separators.contains(scalar) else {
                word.append(scalar)
                continue
            }
            endWord()
            if isNamed, scalar == "=" || scalar == ":" { isCredential = true }
            scrubbed.append(scalar)
        }
        endWord()
        return String(scrubbed)
    }

    /// Keys, refresh tokens, JWTs, addresses of people, and whatever is as long and as wild.
    private static func isSecret(_ word: String) -> Bool {
        if word.contains("@") { return true }
        if ["gh_", "ghr_", "eyJ"].contains(where: word.hasPrefix) { return true }
        // Ids of requests, jobs and rows have short parts between dashes, and tell nothing.
        return word.split(separator: "-").contains { isWild($0) }
    }

    /// Hashes and tokens are long, and have digits among their letters; words do not.
    private static func isWild(_ part: Substring) -> Bool {
        let bytes = part.utf8
        return bytes.count >= 20 && bytes.allSatisfy { Base62.isDigit($0) || $0 == 0x5F }
            && bytes.contains { (0x30...0x39).contains($0) }
    }
}
