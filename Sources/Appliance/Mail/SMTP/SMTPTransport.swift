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
        // Nothing is read before the handler is there, and it is there only on the one connection
        // that was taken: of a name with two addresses, two are begun.
        let connection = ClientBootstrap(group: loop)
            .connectTimeout(timeouts.step)
            .channelOption(.autoRead, value: false)
            .connect(host: server.host, port: server.port)
            .flatMap { [server, tls] channel in
                loop.makeCompletedFuture {
                    let security = tls.map { SMTPHandler.Security(context: $0, host: server.host) }
                    if server.security == .tls, let security {
                        try channel.pipeline.syncOperations.addHandler(security.handler())
                    }
                    try channel.pipeline.syncOperations.addHandler(
                        SMTPHandler(
                            conversation, beginsSecure: server.security == .tls,
                            security: security, timeouts: timeouts, outcome: outcome))
                }
                .flatMap { channel.setOption(.autoRead, value: true) }
                .map { channel }
            }
        let channel: any Channel
        do {
            channel = try await connection.get()
        } catch {
            outcome.fail(CancellationError())
            let place = "\(server.host):\(server.port)"
            throw .later("cannot reach the mail server at \(place): \(Self.reason(error))")
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

    /// Of the addresses that a name has, what the first one said.
    private static func reason(_ error: any Error) -> String {
        guard let failed = error as? NIOConnectionError else { return "\(error)" }
        if let first = failed.connectionErrors.first { return "\(first.error)" }
        return "there is no such host"
    }
}
