import ArgumentParser
import Domain
import Glibc
import Logging
import NIOCore
import ServiceLifecycle
import Store
import UnixSignals

struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Run the daemon.",
        discussion: """
            The first start makes the store, the signing keys and two plans, and prints a link to \
            create the first admin. SIGTERM lets requests in flight finish and exits 0.
            """)

    @OptionGroup var installation: InstallationOptions

    @Option(
        help: ArgumentHelp(
            "The address to listen on (default: server.listen); port 0 takes any free one.",
            valueName: "host:port"))
    var listen: String?

    func run() async throws {
        try await orRefuse {
            var configuration = try installation.configuration()
            if let listen {
                guard let address = ListenAddress(listen) else {
                    throw ValidationError("--listen: expected HOST:PORT, found \(listen).")
                }
                configuration.server.listen = address
            }
            // Whatever this process creates is its user's alone.
            umask(0o077)
            signal(SIGPIPE, SIG_IGN)
            let store = try configuration.openStore()
            defer { store.close() }
            try await serve(configuration, store, configuration.logger())
        }
    }

    private func serve(
        _ configuration: Configuration, _ store: SQLiteStore, _ logger: Logger
    ) async throws {
        let appliance = try Appliance(configuration: configuration, store: store, logger: logger)
        defer { appliance.close() }
        try await appliance.prepare()
        announce(configuration, logger)
        if let aside = store.finishedRestore {
            logger.notice(
                "a restore that was killed is finished", metadata: ["set_aside": "\(aside)"])
        }
        let services = appliance.services { channel in
            let bound = Self.bound(channel, configuration.server.listen)
            let address = "\(configuration.scheme)://\(bound)"
            let publicURL = configuration.server.publicURL ?? address
            if let link = appliance.setupLink(publicURL: publicURL) {
                printError("No admin yet. Create the first one within 24 hours at:\n  \(link)")
            }
            logger.info("listening", metadata: ["address": "\(address)"])
        }
        var group = ServiceGroupConfiguration(
            services: services, gracefulShutdownSignals: [.sigterm, .sigint], logger: quiet(logger))
        group.maximumGracefulShutdownDuration = configuration.server.drainTimeout
        do {
            try await ServiceGroup(configuration: group).run()
        } catch let error as IOError {
            throw CommandRefusal(
                .inUse, "Cannot listen on \(configuration.server.listen): \(error).")
        }
        logger.info("stopped")
    }

    private static func bound(_ channel: any Channel, _ wanted: ListenAddress) -> ListenAddress {
        var address = wanted
        if let port = channel.localAddress?.port { address.port = port }
        return address
    }

    /// What an operator should know from the first lines of the log.
    private func announce(_ configuration: Configuration, _ logger: Logger) {
        let library = SQLiteStore.library
        logger.info(
            "starting",
            metadata: [
                "version": "\(Gatehouse.version)", "sqlite": "\(library.version)",
                "sqlite_wal_reset_fix": "\(library.hasWALResetFix)",
                "data": "\(configuration.dataDirectory)", "store": "\(configuration.storeFile)",
            ])
        if !configuration.limits.authEnabled {
            logger.warning("limits.auth_enabled is off: sign-in is not throttled")
        }
        for finding in TLSFindings(configuration, at: WallClock.system.now()).all {
            logger.warning(
                "the TLS files need attention",
                metadata: ["finding": "\(finding.what)", "remedy": "\(finding.remedy)"])
        }
        if configuration.mail.transport == "mailbox" {
            logger.notice(
                "mails are written to a folder, not sent",
                metadata: ["folder": "\(configuration.dataDirectory)/mailbox"])
        }
    }

    private func quiet(_ logger: Logger) -> Logger {
        var quiet = logger
        quiet.logLevel = max(logger.logLevel, .warning)
        return quiet
    }
}
