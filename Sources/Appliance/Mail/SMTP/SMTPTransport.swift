import Domain
import NIOCore
import NIOPosix
import NIOSSL

/// Hands mails to the server that `mail.smtp` names, one connection for each. Letters are few, and
/// a connection that is kept would have to be found dead first.
final class SMTPTransport: Sendable {
    private let server: Configuration.SMTP
    private let setting: SMTPConversation.Setting
    private let tls: NIOSSLContext?

    /// - Parameter greeting: the name of this machine for EHLO.
    init(_ server: Configuration.SMTP, greeting: String) throws(UnusableAuthorities) {
        self.server = server
        setting = SMTPConversation.Setting(
            security: server.security,
            credentials: server.username.isEmpty
                ? nil
                : SMTPConversation.Credentials(user: server.username, password: server.password),
            greeting: greeting)
        tls = server.security == .none ? nil : try .client("mail.smtp", caFile: server.caFile)
    }

    /// Returns when the server has the mail.
    func send(_ message: MailMessage) async throws(MailFailure) {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let outcome = loop.makePromise(of: Void.self)
        let conversation = SMTPConversation(message, setting)
        let timeouts = SMTPHandler.Timeouts(server.timeout)
        let place = ServerPlace.host(server.host, port: server.port)
        let security = tls.map { ClientTLS(context: $0, host: server.host) }
        let beginsSecure = server.security == .tls
        let channel: any Channel
        do throws(Unreachable) {
            channel = try await place.connect(
                on: loop, timeout: timeouts.step, tls: beginsSecure ? security : nil
            ) { pipeline in
                try pipeline.addHandler(
                    SMTPHandler(
                        conversation, beginsSecure: beginsSecure, security: security,
                        timeouts: timeouts, outcome: outcome))
            }
        } catch {
            outcome.fail(CancellationError())
            throw .later("cannot reach the mail server at \(place): \(error.reason)")
        }
        do {
            try await withTaskCancellationHandler {
                try await outcome.futureResult.get()
            } onCancel: {
                channel.close(promise: nil)
            }
        } catch let failure as MailFailure {
            throw failure
        } catch {
            throw .later("\(error)")
        }
    }
}
