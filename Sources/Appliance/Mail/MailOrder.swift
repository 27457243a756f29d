import Domain
import Store

/// A letter that waits to be sent, as its job has it: to whom, and what about. What it says is
/// written when it is sent.
struct MailOrder: JobPayload {
    /// Nil: nobody. It stands for the letter to an account that is not there, so that asking for
    /// one costs the same (security E2).
    let recipient: EmailAddress?
    /// `Occasion.json`.
    let about: JSON

    init(to recipient: EmailAddress?, about: JSON) {
        self.recipient = recipient
        self.about = about
    }

    init?(json: JSON) {
        guard let about = json["about"] else { return nil }
        switch json["to"] {
        case .string(let address)?: recipient = EmailAddress(canonical: address)
        case .null?: recipient = nil
        default: return nil
        }
        self.about = about
    }

    var json: JSON {
        .object([
            JSON.Member("to", recipient.map { .string($0.description) } ?? .null),
            JSON.Member("about", about),
        ])
    }
}

extension JobKind where Payload == MailOrder {
    /// Five days of a mail server that is away, at a quarter of an hour on average: as long as mail
    /// servers themselves keep on trying (RFC 5321, 4.5.4.1).
    static var sendMail: JobKind {
        var terms = JobTerms()
        terms.attemptsMax = 480
        terms.backoff = Backoff(base: .seconds(5), cap: .seconds(1800))
        terms.timeout = .seconds(900)
        terms.atOnce = 2
        return JobKind("send_mail", terms)
    }
}
