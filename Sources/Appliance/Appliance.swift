import Crypto
import Domain
import Logging
import NIOCore
import ServiceLifecycle
import Store
import Synchronization

/// The whole appliance, wired. The daemon runs it, and tests start the same value.
package final class Appliance: Sendable {
    typealias RequestContext = Context

    let settings: LiveSettings
    /// What requests and jobs go through: it watches what they do.
    let store: any Database
    /// The same store by itself, for what only its engine can.
    let engine: any Database
    /// What several daemons on one store share; nil when this one is alone.
    let redis: RedisClient?
    let clock: WallClock
    let logger: Logger
    let hasher: PasswordHasher
    let policy: PasswordPolicy
    let keyRing: KeyRing
    let sealingKeys: SealingKeys
    let tokens: AccessTokens
    let authenticator: Authenticator
    let gatekeeper: Gatekeeper
    /// Nil: the store is this process's alone.
    let cluster: Cluster?
    /// Whose the counter file is. Once it is a node's it stays that, also while one process has the
    /// store for itself: another data directory's batches have numbers of their own.
    let countsOwner: NodeName?
    let throttle: Throttle
    let sender: MailSender
    let courier: Courier
    let seal: MailSeal
    let readiness: Readiness
    /// Nil: the listener speaks plain HTTP.
    let tls: TLSFiles?
    let requestIDs = RequestIDs()
    let counters: CounterFile
    /// Requests that the gate answered on the event loop.
    let gateAnswers = Counter()
    let traffic = Traffic()
    let httpMeter = HTTPMeter()
    let gateMeter = GateMeter()
    let signIns = Outcomes()
    let mails = Outcomes()
    /// Nil: there are no spans.
    let tracer: SpanTracer?
    let exporter: OTLPExporter?
    /// Nil: nobody is told of errors but the log.
    let faults: FaultReporter?
    let sentry: SentrySender?
    let dashboard = Dashboard()
    let description = DescriptionFile()
    let idempotencyRuns = IdempotencyRuns()
    /// One fold at a time.
    let turnstile = Turnstile()
    /// Commits of one reservation, renewals of one lease: one at a time, since memory and the store
    /// change one after the other.
    let turnstiles = Turnstile.Row()
    /// One backup at a time.
    let backupRun = BackupRun()
    /// One nightly job at a time.
    let nights = Turnstile()

    /// Nothing is listening yet and nothing runs in the background: `serve` does both.
    ///
    /// - Parameter faults: what the logger tells of errors, for Sentry.
    package init(
        configuration: Configuration, store engine: any Database, clock: WallClock = .system,
        logger: Logger, faults: FaultReporter? = nil
    ) throws {
        settings = LiveSettings(configuration)
        self.engine = engine
        let sharedClock = configuration.isShared ? SharedClock(clock) : nil
        let clock = sharedClock?.wall ?? clock
        let tracer = configuration.otlp.tracer
        self.tracer = tracer
        exporter = try configuration.exporter(of: tracer, clock: clock, logger: logger)
        self.faults = faults
        sentry = try configuration.sender(of: faults, clock: clock, logger: logger)
        let store = WatchedStore(
            base: engine, system: engine is SQLiteStore ? "sqlite" : "postgresql",
            settings: settings, tracer: tracer, logger: logger)
        self.store = store
        redis = try configuration.redisOptions().map {
            RedisClient($0, tracer: tracer, logger: logger)
        }
        self.clock = clock
        self.logger = logger
        tls = try TLSFiles(configuration.server.tls, logger: logger)
        let auth = configuration.auth
        hasher = try PasswordHasher(
            cost: PasswordHasher.Cost(
                memoryKiB: UInt32(auth.argon2MemoryKiB), iterations: UInt32(auth.argon2Iterations)),
            threads: auth.argon2Threads > 0 ? auth.argon2Threads : Machine.coreCount,
            queue: auth.argon2Queue)
        policy = PasswordPolicy(lengthMin: auth.passwordMinLength)
        sealingKeys = try configuration.sealingKeys(at: clock.now())
        keyRing = try configuration.keyRing(store, sealingKeys, at: clock.now())
        tokens = AccessTokens(
            keys: keyRing, issuer: configuration.issuer, audience: auth.audience,
            ttl: auth.accessTokenTTL)
        let inMemory = configuration.limits.customersInMemory
        let freshness = configuration.isShared ? Freshness() : nil
        let authenticator = Authenticator(
            store: store, tokens: tokens, customersMax: inMemory,
            adminsNeedTOTP: auth.requireTOTPForAdmins, freshness: freshness)
        self.authenticator = authenticator
        counters = try CounterFile(path: configuration.dataDirectory + "/counters")
        gatekeeper = Gatekeeper(
            configuration, store: store, counters: counters, redis: redis, clock: sharedClock,
            logger: logger
        ) { authenticator.forget(account: $0) }
        let directory = configuration.dataDirectory
        let node = try configuration.isShared ? NodeName.kept(in: directory) : nil
        let former = try engine is PostgresStore ? NodeName.found(in: directory) : nil
        countsOwner = node ?? former
        if let node, let freshness {
            cluster = try Cluster(
                node: node, engine, freshness, authenticator, gatekeeper, keyRing,
                clock: clock, logger: logger)
        } else {
            cluster = nil
        }
        throttle = Throttle(
            isEnabled: configuration.limits.authEnabled, in: store,
            shared: redis.map { SharedRates(redis: $0) })
        guard let sender = MailSender(configuration.mail.from) else {
            throw Problem.internal(cause: "mail.from is no sender")
        }
        self.sender = sender
        courier = try Courier(configuration)
        seal = MailSeal(keys: sealingKeys)
        readiness = Readiness(
            store: store, directory: configuration.dataDirectory, clock: clock,
            sharing: Readiness.sharing(redis, gatekeeper.shared?.epoch, freshness))
    }

    /// As it is right now: a reload changes it. Where each request looks, take `settings.current`.
    package var configuration: Configuration { settings.current.configuration }

    var clients: ClientAddresses { settings.current.clients }

    /// Every route, in one list: it is served, tested and described from here. Another version of
    /// the API stands beside the first by one line more: `+ v1.version("v2", with: …)`.
    package var routes: [Route] { systemRoutes + descriptionRoutes + v1 + consoleRoutes }

    private var v1: [Route] {
        authenticationRoutes + introspectionRoutes + revocationRoutes + sessionRoutes
            + accountRoutes + secondFactorRoutes + apiKeyRoutes + planRoutes + usageRoutes
            + usageEventRoutes + reservationRoutes + leaseRoutes + itemRoutes + gateRoutes
            + adminRoutes + auditRoutes + backupRoutes + jobRoutes
    }

    /// What must be in place before the first request: starter plans, setup token, throttles.
    package func prepare() async throws(Problem) {
        try removeLeftovers()
        try await refuseUnfinishedCopy()
        try await requireSharedSealingKey()
        try await recoverCounts()
        try await cluster?.begin()
        // Now that a change of them would be heard of.
        try await keyRing.reload(at: clock.now())
        try await enterAuditNotes()
        try await createStarterPlans()
        let kept = try await store.read { db throws(Problem) in
            try db.rateStates.load(Throttle.subject)
        }
        throttle.restore(kept)
        try await checkSealingKey()
        try await prepareJobs()
        try await offerSetup()
    }

    private func refuseUnfinishedCopy() async throws(Problem) {
        let mark = try await store.read { db throws(Problem) in
            try db.installation.value(StoreCopy.mark)
        }
        guard mark == nil else {
            throw .internal(
                cause: "The store is a copy that is not whole. Run `gatehouse store copy` again.")
        }
    }

    private func removeLeftovers() throws(Problem) {
        let folders = [configuration.dataDirectory, configuration.dataDirectory + "/mailbox"]
        do throws(SafeFile.Failure) {
            for folder in folders where SafeFile.isDirectory(folder) {
                try SafeFile.removeLeftovers(in: folder)
            }
        } catch {
            throw .internal(cause: error.reason)
        }
    }

    /// Folds what a process that was killed had counted; then counting can begin.
    private func recoverCounts() async throws(Problem) {
        let node = countsOwner
        let mark = try await store.read { db throws(Problem) in
            try db.usage.foldMark(node: node)
        }
        let deltas: [UsageDelta]
        do throws(StoreRefusal) {
            deltas = try counters.recover(after: mark)
        } catch {
            throw .internal(cause: error.description)
        }
        // The next start looks for the two batches after the one that the store has: the batch
        // opened here has to be the first of them.
        var newest = mark.batch
        // A part of a batch is not begun again under its number, which has a mark on it.
        if !deltas.isEmpty || mark.through != nil || node != nil {
            newest = mark.batch + 2
            _ = try await store.write { [newest] db throws(Problem) in
                try db.usage.fold(deltas, batch: newest, node: node)
            }
        }
        if !deltas.isEmpty {
            logger.notice(
                "counts of a killed process recovered", metadata: ["counters": "\(deltas.count)"])
        }
        if !deltas.isEmpty, let node, let shared = gatekeeper.shared {
            let epoch = try await store.read { db throws(Problem) in
                try db.nodes.list().first { $0.name == node }?.epoch
            }
            shared.didRecover(deltas, countedIn: epoch)
        }
        if let aside = counters.setAside {
            logger.error("the counter file was damaged", metadata: ["set_aside": "\(aside)"])
        }
        counters.reset(openingBatch: newest + 1)
    }

    /// The HTTP server and the background work, as services of one group: the group stops the
    /// server first, then what it relied on.
    ///
    /// - Parameters:
    ///   - sockets: listening sockets for the API that are open already.
    ///   - metricsSockets: the same for `/metrics`.
    package func services(
        sockets: [Int32] = [], metricsSockets: [Int32] = [],
        onListening: @escaping @Sendable (any Channel) async -> Void
    ) -> [any Service] {
        let isScraped = Wake()
        let metrics = metricsListener(sockets: metricsSockets) { isScraped.set() }
        // The first is stopped last: what the others do at their end is reported too.
        let reports: [any Service] =
            (exporter.map { [$0] } ?? []) + (sentry.map { [$0] } ?? [])
        let shared: [any Service] = (redis.map { [$0] } ?? []) + (jobNews.map { [$0] } ?? [])
        let api = listener(sockets: sockets) { channel in
            // Nobody is told that we serve before we know that we do.
            if metrics != nil { await isScraped.wait() }
            if !Task.isCancelled { await onListening(channel) }
        }
        return reports + shared + (cluster?.services ?? []) + sharing + [
            Checkpointer(appliance: self), jobRunner(), ControlListener(appliance: self),
        ] + (metrics.map { [$0] } ?? []) + [
            cluster == nil ? api : OpeningListener(base: api, missing: readiness.sharing)
        ] + (tls.map { [TLSWatch(files: $0, clock: clock)] } ?? [])
    }

    /// After the services have ended: the threads, and then the store is the caller's to close.
    package func close() {
        hasher.close()
        courier.close()
    }
}
