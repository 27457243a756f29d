import CZxcvbn
import Domain

/// What a new password is held to: length and how guessable it is, nothing else (NIST SP 800-63B-4:
/// no composition rules, no forced changes).
package struct PasswordPolicy: Sendable {
    /// Unicode code points; never below `lengthLeast` by configuration
    /// (security P3).
    package let lengthMin: Int

    static let lengthLeast = 8

    /// Entropy below which zxcvbn's estimate is an online guessing risk: its own scale calls up to
    /// 10^8 guesses (26.6 bits) guessable; every word of its dictionaries is far below.
    private static let bitsMin = 28.0
    /// The estimate is quadratic in length, and what is longer than this is not in a dictionary.
    private static let estimatedCharacters = 64

    package init(lengthMin: Int) { self.lengthMin = lengthMin }

    /// A password as it is hashed: NFC, so that every keyboard's spelling is the same (P6).
    package static func normalised(_ text: String) -> Secret { Secret(Text.nfc(text)) }

    /// - Parameter about: the customer's own words, such as the address: no password may be made
    ///   of them alone.
    package func check(
        _ password: Secret, about words: [String], field: String
    ) throws(Problem) {
        guard password.text.utf8.count <= PasswordHasher.bytesMax else {
            throw weak(field, "too_long", "At most \(PasswordHasher.bytesMax) bytes.")
        }
        guard password.text.unicodeScalars.count >= lengthMin else {
            throw weak(field, "too_short", "At least \(lengthMin) characters.")
        }
        guard bits(password, words) >= Self.bitsMin else {
            throw weak(
                field, "weak_password",
                "This password is among the first that an attacker would try.")
        }
    }

    private func weak(_ field: String, _ code: String, _ message: String) -> Problem {
        var problem = Problem(.weakPassword, "The password cannot be used: \(message)")
        problem.errors = [Problem.Field(field, code, message)]
        return problem
    }

    private func bits(_ password: Secret, _ words: [String]) -> Double {
        let own = (words + ["gatehouse"]).flatMap { word in
            [word] + word.split { "@.-_+ ".contains($0) }.map(String.init)
        }.filter { $0.utf8.count >= 3 }
        let start = String(password.text.prefix(Self.estimatedCharacters))
        return withCStrings(own) { ZxcvbnMatch(start, $0, nil) }
    }

    /// A null-terminated array of C strings for the time of one call.
    private func withCStrings<Value>(
        _ texts: [String], _ body: (UnsafeMutablePointer<UnsafePointer<CChar>?>?) -> Value
    ) -> Value {
        let copies = texts.map { text in
            let bytes = Array(text.utf8CString)
            let copy = UnsafeMutableBufferPointer<CChar>.allocate(capacity: bytes.count)
            _ = copy.initialize(from: bytes)
            return copy
        }
        defer { for copy in copies { copy.deallocate() } }
        var pointers = copies.map { UnsafePointer($0.baseAddress) } + [nil]
        return pointers.withUnsafeMutableBufferPointer { body($0.baseAddress) }
    }
}

extension Account {
    /// What none of its passwords may be made of (security P5).
    var ownWords: [String] { [email.description, name].compactMap(\.self) }
}
