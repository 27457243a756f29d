import ArgumentParser
import Domain
import NIOCore
import NIOPosix
import NIOSSL

struct HealthcheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "healthcheck",
        abstract: "Ask the running daemon whether it is ready; exits 0 if so, else 1.",
        discussion: """
            Asks /readyz at server.listen, over TLS where that is on. For container engines and \
            service managers, where no other client is at hand.
            """)

    @OptionGroup var installation: InstallationOptions

    @Option(help: "HOST:PORT that the daemon listens on (default: server.listen).")
    var listen: String?

    func run() async throws {
        try await orRefuse {
            let configuration = try installation.configuration()
            var address = configuration.server.listen
            if let listen {
                guard let named = ListenAddress(listen) else {
                    throw ValidationError("--listen: expected HOST:PORT, found \(listen).")
                }
                address = named
            }
            let probe = try HealthProbe(address, isSecure: configuration.server.tls.files != nil)
            let answer = try await probe.ask()
            guard answer.hasPrefix("HTTP/1.1 200 ") else {
                let body = answer.firstRange(of: "\r\n\r\n").map { answer[$0.upperBound...] }
                throw CommandRefusal(
                    .failed, "Not ready: \(body ?? "no answer within \(HealthProbe.patience)")")
            }
        }
    }
}

/// One request to the daemon on this machine.
struct HealthProbe {
    let address: ListenAddress
    private let tls: NIOSSLContext?

    /// For the connection, and again for the answer: an engine that waits 6 s still hears why.
    static let patience: Duration = .milliseconds(2500)
    private static let answerBytesMax = 65_536

    init(_ listen: ListenAddress, isSecure: Bool) throws {
        guard listen.port != 0 else {
            throw CommandRefusal(.configuration, "server.listen: port 0 leaves nobody to ask.")
        }
        var address = listen
        // "Every address" is none to connect to.
        if address.host == "0.0.0.0" { address.host = "127.0.0.1" }
        if address.host == "::" { address.host = "::1" }
        self.address = address
        var configuration = TLSConfiguration.makeClientConfiguration()
        // It is our own daemon, by an address that its certificate does not have; nothing secret
        // is sent.
        configuration.certificateVerification = .none
        tls = isSecure ? try NIOSSLContext(configuration: configuration) : nil
    }

    /// The answer as it came, its status line first.
    func ask() async throws -> String {
        do {
            return try await exchange(
                "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        } catch {
            throw CommandRefusal(.failed, "There is no answer at \(address): \(error)")
        }
    }

    private func exchange(_ request: String) async throws -> String {
        let tls = tls
        let connection = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connectTimeout(TimeAmount(Self.patience))
            .connect(host: address.host, port: address.port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls {
                        try channel.pipeline.syncOperations.addHandler(
                            NIOSSLClientHandler(context: tls, serverHostname: nil))
                    }
                    return try NIOAsyncChannel<ByteBuffer, ByteBuffer>(
                        wrappingChannelSynchronously: channel)
                }
            }
        let channel = connection.channel
        let deadline = channel.eventLoop.scheduleTask(in: TimeAmount(Self.patience)) {
            channel.close(promise: nil)
        }
        defer { deadline.cancel() }
        return try await connection.executeThenClose { inbound, outbound in
            try await outbound.write(ByteBuffer(string: request))
            var answer = ""
            for try await bytes in inbound {
                answer += String(buffer: bytes)
                guard answer.utf8.count < Self.answerBytesMax else { break }
            }
            return answer
        }
    }
}
