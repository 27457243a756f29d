import Domain
import Store

/// How mails leave this machine.
enum Courier: Sendable {
    case mailbox(Mailbox)
    case smtp(SMTPTransport)

    init(_ configuration: Configuration) throws {
        self =
            configuration.mail.transport == "smtp"
            ? .smtp(
                try SMTPTransport(configuration.mail.smtp, greeting: configuration.mailHost))
            : .mailbox(try Mailbox(directory: configuration.dataDirectory + "/mailbox"))
    }

    /// Returns when the mail is out of our hands.
    func deliver(_ message: MailMessage) async throws(MailFailure) {
        switch self {
        case .mailbox(let mailbox): try await mailbox.deliver(message)
        case .smtp(let transport): try await transport.send(message)
        }
    }

    func close() {
        switch self {
        case .mailbox(let mailbox): mailbox.close()
        case .smtp: break
        }
    }
}
