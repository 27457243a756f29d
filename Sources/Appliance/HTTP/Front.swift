import Domain
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import Tracing

/// What every request passes first and every answer last: one id and one time for it, the host
/// allow-list, problems turned into answers, the headers that all answers have, and the log line.
struct Front: HTTPResponder {
    typealias Context = Appliance.RequestContext

    let router: RouterResponder<Context>
    let routes: [Route]
    /// Those that say so in each of their answers.
    private let deprecated: [Route]
    let settings: LiveSettings
    let hosts: @Sendable (Settings) -> HostAllowList
    /// Nil: nobody is told of these requests but the log.
    let watch: RequestWatch?
    let clock: WallClock
    let logger: Logger
    let ids: RequestIDs
    private let dates = HTTPDates()

    init(
        router: RouterResponder<Context>, routes: [Route], settings: LiveSettings,
        hosts: @escaping @Sendable (Settings) -> HostAllowList, watch: RequestWatch?,
        ids: RequestIDs, clock: WallClock, logger: Logger
    ) {
        self.router = router
        self.routes = routes
        deprecated = routes.filter { $0.deprecation != nil }
        self.settings = settings
        self.hosts = hosts
        self.watch = watch
        self.ids = ids
        self.clock = clock
        self.logger = logger
    }

    func respond(to request: Request, context: Context) async throws -> Response {
        var context = context
        context.now = clock.now()
        context.requestID = ids.id(for: request.headers[.requestID])
        guard let watch else { return await answer(request, context) }
        let watched = watch.begin(request, id: context.requestID)
        return await InstrumentationContext.$current.withValue(watched.context) {
            let response = await answer(request, context)
            // The router says which route it was in a box that copies of the context share.
            watch.end(
                watched, route: routedPattern(context), status: response.status.code,
                at: context.now, settings.current)
            return response
        }
    }

    private func answer(_ request: Request, _ context: Context) async -> Response {
        let settings = settings.current
        var response: Response
        do {
            guard hosts(settings).allows(request) else {
                response = misdirected(context)
                addCommonHeaders(&response.headers, settings, context)
                return response
            }
            response = try await router.respond(to: request, context: context)
            // The framework's own word for an address or method without a route has no body.
            if response.status == .notFound, response.headers[.contentType] == nil {
                response = answer(unrouted(request), request, settings, context)
            }
        } catch let problem as Problem {
            response = answer(problem, request, settings, context)
        } catch let error as any HTTPResponseError {
            var problem = Problem(.internal, "Something went wrong on our side.")
            problem.cause = "\(error)"
            response = answer(problem, request, settings, context)
        } catch is CancellationError {
            let problem = Problem(.unavailable, "The server is stopping.")
            response = answer(problem, request, settings, context)
        } catch {
            response = answer(.internal(cause: "\(error)"), request, settings, context)
        }
        if !deprecated.isEmpty { addDeprecation(&response.headers, request) }
        addCommonHeaders(&response.headers, settings, context)
        if settings.logsAllRequests { log(request, response.status, context) }
        return response
    }

    private func addCommonHeaders(
        _ headers: inout HTTPFields, _ settings: Settings, _ context: Context
    ) {
        headers.append(HTTPField(name: .requestID, value: context.requestID))
        if settings.isSecure { headers.append(SecurityFields.strictTransport) }
        headers.append(HTTPField(name: .date, value: dates.text(at: context.now)))
    }

    private func addDeprecation(_ headers: inout HTTPFields, _ request: Request) {
        let method = request.method == .head ? .get : request.method
        let route = deprecated.first { $0.method == method && $0.matches(path: request.uri.path) }
        route?.deprecation?.add(to: &headers)
    }

    private func answer(
        _ problem: Problem, _ request: Request, _ settings: Settings, _ context: Context
    ) -> Response {
        if settings.logsFailures, problem.code.status.code >= 500 || problem.cause != nil {
            logger.log(
                level: problem.code == .internal ? .error : .warning, "request failed",
                metadata: [
                    "request_id": "\(context.requestID)", "method": "\(request.method)",
                    "route": "\(routePattern(request))", "code": "\(problem.code.rawValue)",
                    "cause": "\(problem.cause ?? problem.detail)",
                ])
        } else if problem.code == .internal {
            // The line that was not wanted would have been reported.
            watch?.faults?.report(
                "request failed", cause: problem.cause ?? problem.detail,
                details: [
                    "request_id": context.requestID, "method": "\(request.method)",
                    "route": routePattern(request), "code": problem.code.rawValue,
                ])
        }
        var answer = problem.answer(requestID: context.requestID)
        if problem.code == .methodNotAllowed {
            answer.headers[.allow] = allowed(request).joined(separator: ", ")
        }
        return answer.response
    }

    private func log(_ request: Request, _ status: HTTPResponse.Status, _ context: Context) {
        let took = clock.now() - context.now
        logger.info(
            "request",
            metadata: [
                "request_id": "\(context.requestID)", "method": "\(request.method)",
                "route": "\(routePattern(request))", "status": "\(status.code)",
                "milliseconds": "\(took.wholeMilliseconds)",
            ])
    }

    private func misdirected(_ context: Context) -> Response {
        Problem.invalid("Host", "unknown_host", "This server does not answer to that name.")
            .answer(requestID: context.requestID, status: .misdirectedRequest).response
    }

    // MARK: What no route took

    /// The pattern, never the path: a path can hold what should not be in a log.
    private func routePattern(_ request: Request) -> String {
        routes.first { $0.matches(path: request.uri.path) }?.path ?? "unrouted"
    }

    /// The same where the router has found it.
    private func routedPattern(_ context: Context) -> String? {
        context.endpointPath.flatMap { $0.hasPrefix("/") ? $0 : nil }
    }

    private func unrouted(_ request: Request) -> Problem {
        guard routes.contains(where: { $0.matches(path: request.uri.path) }) else {
            return Problem(.notFound, "There is nothing at this address.")
        }
        return Problem(.methodNotAllowed, "This address does not answer \(request.method).")
    }

    private func allowed(_ request: Request) -> [String] {
        var methods: [String] = []
        for route in routes where route.matches(path: request.uri.path) {
            methods.append(route.method.rawValue)
            if route.method == .get { methods.append("HEAD") }
        }
        return Set(methods).sorted()
    }
}

extension Answer {
    var response: Response {
        guard let stream else {
            return Response(status: status, headers: headers, body: .init(byteBuffer: body))
        }
        let written = ResponseBody(contentLength: stream.length.map { Int($0) }) { writer in
            let open = writer
            try await stream.parts { part in
                var writer = open
                try await writer.write(part)
            }
            try await writer.finish(nil)
        }
        return Response(status: status, headers: headers, body: written)
    }
}
