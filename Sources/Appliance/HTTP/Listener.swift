import Domain
import HTTPTypes
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import ServiceLifecycle

extension Appliance {
    func listener(
        onListening: @escaping @Sendable (any Channel) async -> Void
    ) -> any Service {
        let server = configuration.server
        return application(
            responder: Front(
                router: routerResponder(routes), routes: routes,
                hosts: HostAllowList(configuration), ids: requestIDs, clock: clock,
                configuration: configuration, logger: logger),
            address: .hostname(server.listen.host, port: server.listen.port),
            // A line for each request is the front's to write.
            gatekeeping: configuration.log.requests == "all" ? nil : self, tls: tls,
            onListening: onListening)
    }

    func application(
        responder: Front, address: BindAddress, gatekeeping: Appliance?, tls: TLSFiles?,
        onListening: @escaping @Sendable (any Channel) async -> Void
    ) -> Application<Front> {
        let server = configuration.server
        let bounds = ConnectionGuard.Bounds(
            header: TimeAmount(server.headerTimeout), body: TimeAmount(server.bodyTimeout),
            idle: TimeAmount(server.idleTimeout),
            counts: ConnectionCounts(perAddress: server.connectionsPerAddressMax),
            isSecure: configuration.isSecure)
        let http = HTTP1Channel.Configuration(
            // Idle connections are the guard's: the framework does not see what is answered before
            // it.
            additionalChannelHandlers: [ConnectionSetup(bounds, gatekeeping: gatekeeping)],
            httpDecoderConfiguration: .init(
                maxHeaderFieldSize: ConnectionGuard.Bounds.headBytesMax,
                maxHeaderListSize: ConnectionGuard.Bounds.headBytesMax,
                maxHeaderFieldCount: ConnectionGuard.Bounds.fieldsMax))
        return Application(
            responder: responder,
            server: HTTPServerBuilder { responder in
                let plain = HTTP1Channel(responder: responder, configuration: http)
                guard let tls else { return plain }
                return SecureChannel(http: plain, files: tls)
            },
            configuration: .init(
                address: address, backlog: 1024,
                availableConnectionsDelegate: MaximumAvailableConnections(server.connectionsMax)),
            onServerRunning: onListening, logger: frameworkLogger)
    }

    /// The framework says little worth a line of ours, and says it at `info`.
    private var frameworkLogger: Logger {
        var quiet = logger
        quiet.logLevel = max(logger.logLevel, .warning)
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
        if route.isThrottled, configuration.limits.authEnabled, let from = address() {
            try throttle.take(
                .apiByAddress(configuration.limits.apiPerMinuteAddress), from.throttleKey, at: now)
        }
        guard route.access != .open else { return nil }
        let caller = try await authenticator.caller(
            Credential(request.headers), at: now, address: address)
        if route.isThrottled, configuration.limits.authEnabled {
            try throttle.take(
                .apiByUser(configuration.limits.apiPerMinuteUser), "\(caller.userID)", at: now)
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
