/// Why a mail was not handed over: a reason for the log and for administrators, in one line and
/// without a secret.
enum MailFailure: Error, Equatable, Sendable {
    /// Something that time or an operator mends: the mail waits.
    case later(String)
    /// The server will never take this mail.
    case never(String)
}
