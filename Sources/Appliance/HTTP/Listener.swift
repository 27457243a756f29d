import Domain
import HTTPTypes
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import ServiceLifecycle

extension Appliance {
    /// - Parameter sockets: listening sockets that are open already; empty opens `server.listen`.
    func listener(
        sockets: [Int32], onListening: @escaping @Sendable (any Channel) async -> Void
    ) -> any Service {
        let server = configuration.server
        return application(
            responder: front(
                routes,
                watch: RequestWatch(
                    meter: httpMeter, tracer: tracer, faults: faults, logger: logger)),
            endpoint: sockets.isEmpty ? .address(server.listen) : .inherited(sockets),
            gatekeeping: self, tls: tls, drainDelay: server.drainDelay,
            onDraining: { self.readiness.beginDraining() }, onListening: onListening)
    }

    /// - Parameters:
    ///   - hosts: which of the settings says under what names it answers.
    ///   - watch: what counts and traces its requests.
    func front(
        _ routes: [Route], hosts: @escaping @Sendable (Settings) -> HostAllowList = { $0.hosts },
        watch: RequestWatch? = nil
    ) -> Front {
        Front(
            router: routerResponder(routes), routes: routes, settings: settings, hosts: hosts,
            watch: watch, ids: requestIDs, clock: clock, logger: logger)
    }

    /// A server of HTTP/1 with our bounds on each of its connections.
    func application(
        responder: Front, endpoint: Endpoint, gatekeeping: Appliance?, tls: TLSFiles?,
        drainDelay: Duration = .zero, onDraining: @escaping @Sendable () -> Void = {},
        onListening: @escaping @Sendable (any Channel) async -> Void
    ) -> any Service {
        let server = configuration.server
        let logger = frameworkLogger
        let bounds = ConnectionGuard.Bounds(
            header: TimeAmount(server.headerTimeout), body: TimeAmount(server.bodyTimeout),
            idle: TimeAmount(server.idleTimeout),
            counts: ConnectionCounts(perAddress: server.connectionsPerAddressMax),
            isSecure: configuration.isSecure, drain: Drain())
        let plain = HTTP1Channel(
            responder: { request, writer, channel in
                let context = Context(source: .init(channel: channel, logger: logger))
                let response = try await responder.respond(to: request, context: context)
                try await writer.write(response: response.head, body: response.body)
            },
            configuration: .init(
                // Idle connections are the guard's: the framework does not see what is answered
                // before it.
                additionalChannelHandlers: [ConnectionSetup(bounds, gatekeeping: gatekeeping)],
                httpDecoderConfiguration: .init(
                    maxHeaderFieldSize: ConnectionGuard.Bounds.headBytesMax,
                    maxHeaderListSize: ConnectionGuard.Bounds.headBytesMax,
                    maxHeaderFieldCount: ConnectionGuard.Bounds.fieldsMax)))
        func service(_ connection: some ServerChildChannel) -> any Service {
            HTTPServer(
                connection: connection, endpoint: endpoint, connectionsMax: server.connectionsMax,
                drain: bounds.drain, drainDelay: drainDelay, logger: logger,
                onDraining: onDraining, onListening: onListening)
        }
        guard let tls else { return service(plain) }
        return service(SecureChannel(http: plain, files: tls))
    }

    /// The framework says little worth a line of ours, and says it at `info`.
    private var frameworkLogger: Logger {
        var quiet = logger
        quiet.logLevel = .warning
        return quiet
    }

    func routerResponder(_ routes: [Route]) -> RouterResponder<Context> {
        let router = Router(context: Context.self, options: .autoGenerateHeadEndpoints)
        for route in routes {
            router.on(RouterPath(route.path), method: route.method) { request, context in
                let caller = try await self.caller(request, context, route)
                let call = Call(
                    request: request, context: context, route: route, clients: self.clients,
                    caller: caller)
                return try await self.answer(call).response
            }
        }
        return router.buildResponder()
    }

    /// Lets in whoever the route allows; nil for an open route.
    private func caller(
        _ request: Request, _ context: Context, _ route: Route
    ) async throws(Problem) -> Caller? {
        let address = { self.clients.address(of: request, from: context.channel.remoteAddress) }
        let now = context.now
        let settings = settings.current
        let isThrottled = route.isThrottled && settings.configuration.limits.authEnabled
        if isThrottled, let from = address() {
            try throttle.takeHere(
                .apiByAddress(settings.configuration.limits.apiPerMinuteAddress),
                from.throttleKey, at: now)
        }
        guard route.access != .open else { return nil }
        let caller = try await authenticator.caller(
            Credential(request.headers), at: now, address: address)
        if isThrottled {
            try throttle.takeHere(
                .apiByUser(settings.configuration.limits.apiPerMinuteUser), "\(caller.userID)",
                at: now)
        }
        guard !caller.isHeldBack || route.isOwnAccount else { throw Caller.enrolFirst }
        try Self.check(caller, may: route.access)
        return caller
    }

    private static func check(_ caller: Caller, may access: Route.Access) throws(Problem) {
        switch access {
        case .open: return
        case .user:
            guard caller.key == nil else {
                throw Problem(.insufficientScope, "An API key cannot do this; sign in.")
            }
        case .scope(let scope): try demand(scope, of: caller)
        case .adminRead:
            guard caller.account.role != .user else { throw Self.adminsOnly }
            try demand(.adminRead, of: caller)
        case .adminWrite:
            guard caller.account.role == .admin else { throw Self.adminsOnly }
            try demand(.adminWrite, of: caller)
        }
    }

    private static let adminsOnly = Problem(.forbidden, "This is for administrators.")

    private static func demand(_ scope: Scope, of caller: Caller) throws(Problem) {
        guard caller.has(scope) else {
            throw Problem(.insufficientScope, "This needs the scope \(scope.rawValue).")
        }
    }
}

extension TimeAmount {
    init(_ duration: Duration) { self = .milliseconds(duration.wholeMilliseconds) }
}
