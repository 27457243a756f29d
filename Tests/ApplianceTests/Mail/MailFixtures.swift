import Domain
import Testing

@testable import Appliance

/// Letters and mails as the tests of this folder use them.
enum MailFixtures {
    static let moment = Timestamp(milliseconds: 1_795_000_000_000)  // 2026-11-18T11:06:40Z

    static let use = QuotaUse(
        metric: "api_calls", window: .month, index: Window.month.index(of: moment), used: 8_123_456,
        bound: 10_000_000, allowsOverage: false)

    /// One of each.
    static let occasions: [Occasion] = [
        .verification(token: Secret("tok1")), .addressTaken, .reset(token: Secret("tok2")),
        .invitation(token: Secret("tok3"), days: 7), .passwordChanged,
        .addressChanged(to: EmailAddress(canonical: "new.o'name&co@example.org")),
        .newDevice(
            Occasion.SignIn(
                device: Device(program: "Firefox", system: "Linux"), address: "192.0.2.7")),
        .tokenReused, .secondFactorOn, .secondFactorOff, .recoveryCodeUsed(left: 9),
        .quotaNear(use), .quotaReached(use),
    ]

    static func letter(_ occasion: Occasion, service: String = "Acme") -> Letter {
        Letter(occasion, publicURL: "https://id.example.com", service: service, at: moment)
    }

    static func message(
        _ occasion: Occasion = .passwordChanged, from: String = "Acme <id@example.com>",
        to address: String = "ann@example.org"
    ) throws -> MailMessage {
        let sender = try #require(MailSender(from))
        return try MailMessage(
            letter(occasion, service: sender.service), from: sender,
            to: EmailAddress(canonical: address), id: "0192f0c1", host: "id.example.com",
            at: moment)
    }
}
