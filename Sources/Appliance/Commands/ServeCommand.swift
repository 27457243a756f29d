import ArgumentParser
import Domain
import Glibc
import Logging
import NIOCore
import ServiceLifecycle
import Store
import Synchronization
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
            let environment = Machine.environment
            let notifier = ServiceNotifier(environment: environment, process: getpid())
            let sockets = try InheritedSockets.take(environment: environment, process: getpid())
            ServiceNotifier.forgetEnvironment()
            InheritedSockets.forgetEnvironment()
            let configuration = try configuration(sockets)
            // Whatever this process creates is its user's alone.
            umask(0o077)
            signal(SIGPIPE, SIG_IGN)
            notifier.status("Opening the store")
            let store = try configuration.openStore(serves: true)
            defer { store.close() }
            try await serve(configuration, store, sockets, notifier)
        }
    }

    /// As it is read at the start, and again at each reload.
    private func configuration(_ sockets: InheritedSockets) throws -> Configuration {
        var configuration = try installation.configuration()
        if let listen {
            guard let address = ListenAddress(listen) else {
                throw ValidationError("--listen: expected HOST:PORT, found \(listen).")
            }
            configuration.server.listen = address
        }
        // A socket that is open already is where we listen.
        if let address = sockets.address { configuration.server.listen = address }
        return configuration
    }

    private func serve(
        _ configuration: Configuration, _ store: any Database, _ sockets: InheritedSockets,
        _ notifier: ServiceNotifier
    ) async throws {
        let faults = configuration.sentry.dsn.map { _ in FaultReporter() }
        let logger = configuration.logger(faults: faults)
        let appliance = try Appliance(
            configuration: configuration, store: store, logger: logger, faults: faults)
        defer { appliance.close() }
        try await appliance.prepare()
        announce(configuration, store, logger)
        if let aside = (store as? SQLiteStore)?.finishedRestore {
            logger.notice(
                "a restore that was killed is finished", metadata: ["set_aside": "\(aside)"])
        }
        let address = Mutex("")
        let status: @Sendable () -> String = { address.withLock { "Serving on \($0)" } }
        let reloader = Reloader(
            appliance: appliance, notifier: notifier,
            signals: await UnixSignalsSequence(trapping: .sighup), status: status
        ) { try self.configuration(sockets) }
        let services = appliance.services(
            sockets: sockets.api, metricsSockets: sockets.named["metrics"] ?? []
        ) { channel in
            let own = Self.address(channel, configuration)
            address.withLock { $0 = own }
            Self.offerSetup(appliance, address: own)
            logger.info("listening", metadata: ["address": "\(own)"])
            notifier.ready(status())
        }
        // How long requests may take to end; then the last counts are saved.
        let server = configuration.server
        let drainMost = server.drainDelay + server.drainTimeout
        var group = ServiceGroupConfiguration(
            services: [
                Watchdog(notifier: notifier, store: store), StoreHold(store: store), reloader,
                LargePages(),
            ] + services
                + [Farewell(notifier: notifier, atMost: drainMost + .seconds(30))],
            gracefulShutdownSignals: [.sigterm, .sigint], logger: quiet(logger))
        group.maximumGracefulShutdownDuration = drainMost
        do {
            try await ServiceGroup(configuration: group).run()
        } catch let refusal as StoreRefusal {
            throw refusal
        } catch let error as IOError {
            throw CommandRefusal(
                .inUse, "Cannot listen on \(configuration.server.listen): \(error).")
        } catch let refusal as CommandRefusal {
            // Such as an address that is taken: for who starts it, not for who watches.
            throw refusal
        } catch {
            logger.critical("a service has failed", metadata: ["cause": "\(error)"])
            await appliance.sentry?.sendAll()
            throw error
        }
        logger.info("stopped")
    }

    /// A journal is read by more people than may become admin, and is sent to other machines: it
    /// gets the way to the link, not the link.
    private static func offerSetup(_ appliance: Appliance, address: String) {
        let publicURL = appliance.configuration.server.publicURL ?? address
        guard let link = appliance.setupLink(publicURL: publicURL) else { return }
        if JournalStream.isBehind(2, environment: Machine.environment) {
            let file = Machine.absolute(appliance.setupTokenPath)
            printError("No admin yet. Create the first one within 24 hours; this prints the link:")
            printError("  echo \"\(publicURL)/setup#token=$(sudo cat \(file))\"")
        } else {
            printError("No admin yet. Create the first one within 24 hours at:\n  \(link)")
        }
    }

    /// What is bound may have another port than what was asked for.
    private static func address(_ channel: any Channel, _ configuration: Configuration) -> String {
        var bound = configuration.server.listen
        if let port = channel.localAddress?.port { bound.port = port }
        return "\(configuration.scheme)://\(bound)"
    }

    /// What an operator should know from the first lines of the log.
    private func announce(
        _ configuration: Configuration, _ store: any Database, _ logger: Logger
    ) {
        let library = SQLiteStore.library
        logger.info(
            "starting",
            metadata: [
                "version": "\(Gatehouse.version)", "sqlite": "\(library.version)",
                "sqlite_wal_reset_fix": "\(library.hasWALResetFix)",
                "data": "\(configuration.dataDirectory)",
                "store": "\((store as? PostgresStore)?.place ?? configuration.storeFile)",
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
        } else if configuration.mail.smtp.security == .none {
            logger.warning("mails go to the mail server unencrypted")
        }
    }

    private func quiet(_ logger: Logger) -> Logger {
        var quiet = logger
        quiet.logLevel = .warning
        return quiet
    }
}
