/// What an account signs in with beside its password.
package struct SecondFactor: Equatable, Sendable {
    package let userID: UserID
    /// The secret that the app has too, encrypted: the store alone makes no codes.
    package let sealedSecret: [UInt8]
    /// The step of the last code that was accepted.
    package let lastStep: Int64
    /// Nil until a first code has shown that the app has the secret; until then it asks nothing.
    package let confirmedAt: Timestamp?
    package let createdAt: Timestamp

    package init(
        userID: UserID, sealedSecret: [UInt8], lastStep: Int64 = 0,
        confirmedAt: Timestamp? = nil, createdAt: Timestamp
    ) {
        self.userID = userID
        self.sealedSecret = sealedSecret
        self.lastStep = lastStep
        self.confirmedAt = confirmedAt
        self.createdAt = createdAt
    }

    /// A secret that was shown and not confirmed for this long is nobody's: it may have been seen.
    private static let confirmTTL: Duration = .seconds(3600)

    package func canBeConfirmed(at now: Timestamp) -> Bool {
        confirmedAt == nil && now < createdAt + Self.confirmTTL
    }
}

/// A code on paper for when the app is gone: 80 random bits, good for one sign-in.
package struct RecoveryCode: Hashable, Sendable {
    /// 16 base 32 digits; what is hashed.
    package let digits: String

    /// Shown once, at confirmation.
    package static let count = 10
    private static let bytes = 10
    private static let digitCount = 16

    package init(using random: inout some RandomNumberGenerator) {
        digits = Base32.encode(
            (0..<Self.bytes).map { _ in UInt8.random(in: .min ... .max, using: &random) })
    }

    /// As a person types it: with or without hyphens, in any case, 0 for O, 1 for I and 8 for B.
    /// Nil for what is no such code.
    package init?(typed text: String) {
        let digits = text.uppercased().filter { $0 != "-" && $0 != " " }.map { digit in
            switch digit {
            case "0": Character("O")
            case "1": Character("I")
            case "8": Character("B")
            default: digit
            }
        }
        self.digits = String(digits)
        guard self.digits.utf8.count == Self.digitCount,
            self.digits.utf8.allSatisfy(Base32.isDigit)
        else { return nil }
    }

    /// In groups of four.
    package var text: String {
        stride(from: 0, to: Self.digitCount, by: 4)
            .map { String(digits.dropFirst($0).prefix(4)) }.joined(separator: "-")
    }
}

/// What is typed where a sign-in asks for more than the password.
package enum OneTimeCode: Equatable, Sendable {
    /// Six digits from the app.
    case totp(String)
    case recovery(RecoveryCode)

    /// Apps show a space in the middle, and people type it. Nil for what is neither.
    package init?(typed text: String) {
        let plain = text.filter { $0 != " " }
        let isCode =
            plain.utf8.count == TOTP.digitCount
            && plain.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        if isCode {
            self = .totp(plain)
        } else if let code = RecoveryCode(typed: text) {
            self = .recovery(code)
        } else {
            return nil
        }
    }
}
