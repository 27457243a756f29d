import Domain
import Store
import Tracing

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

    /// What the span of a delivery says; never whom it goes to.
    func place(
        _ configuration: Configuration
    ) -> (name: String, kind: SpanKind, attributes: SpanAttributes) {
        switch self {
        case .mailbox: return ("mailbox write", .internal, [:])
        case .smtp:
            let smtp = configuration.mail.smtp
            return (
                "smtp send", .client,
                [
                    "network.protocol.name": "smtp", "server.address": .string(smtp.host),
                    "server.port": .int64(Int64(smtp.port)),
                ]
            )
        }
    }

    func close() {
        switch self {
        case .mailbox(let mailbox): mailbox.close()
        case .smtp: break
        }
    }
}
