import Domain
import HTTPTypes
import NIOCore
import NIOHTTP1
import Tracing

/// Answers `/gate` on the event loop, before the framework sees the request.
///
/// A customer's service waits for this answer with each of its own requests. Through the framework
/// it costs a task's switch, a second spelling of every header and three writes; here it is one
/// look at memory and one write of bytes that were mostly made before (docs/performance.md has the
/// figures).
///
/// Invariants: what is answered here is byte for byte what the route answers, because both ask
/// `Appliance.gate` (a test compares them). A request is taken only when no other answer is due on
/// its connection, so answers keep their order. Everything unusual goes on to the route: a body, a
/// header that changes how a message ends, a credential given twice, HTTP/1.0, HEAD, a connection
/// that is to close, a client that does not read what it is sent, a request that must be logged,
/// and whatever is not in memory.
final class GateHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    private let appliance: Appliance
    private let connectionGuard: ConnectionGuard
    private let isSecure: Bool
    /// What we write goes past the encoder: it is encoded already.
    private var encoder: ChannelHandlerContext?
    /// A head that will be answered here if nothing but its end follows.
    private var held: (head: HTTPRequestHead, request: GateRequest)?
    /// Answers that the framework owes.
    private var answersDue = 0
    private var hasUnflushed = false
    /// Since the last read was complete.
    private var hasPassedOn = false
    // Used again for each request.
    private var review = Review()
    private var writer: GateAnswerWriter

    init(appliance: Appliance, connectionGuard: ConnectionGuard) {
        self.appliance = appliance
        self.connectionGuard = connectionGuard
        isSecure = appliance.configuration.isSecure
        writer = GateAnswerWriter(requestIDs: appliance.requestIDs, isSecure: isSecure)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        // Without an encoder nothing is taken, and the route answers everything.
        encoder = try? context.pipeline.syncOperations.context(
            handlerType: HTTPResponseEncoder.self)
    }

    func handlerRemoved(context: ChannelHandlerContext) { encoder = nil }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            if answersDue == 0, held == nil, context.channel.isWritable,
                !connectionGuard.isDraining, !appliance.settings.current.logsAllRequests,
                let request = GateRequest(head)
            {
                held = (head, request)
                return
            }
            passOnHeld(context)
            answersDue += 1
        case .body: passOnHeld(context)
        case .end:
            if let taken = held.take() {
                if answer(taken.request, taken.head, context) { return }
                passOn(taken.head, context)
            }
        }
        hasPassedOn = true
        context.fireChannelRead(data)
    }

    private func passOnHeld(_ context: ChannelHandlerContext) {
        if let taken = held.take() { passOn(taken.head, context) }
    }

    private func passOn(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        answersDue += 1
        hasPassedOn = true
        context.fireChannelRead(wrapInboundOut(.head(head)))
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        // Once for all that arrived together.
        if hasUnflushed {
            hasUnflushed = false
            encoder?.flush()
        }
        // Who was passed nothing has nothing to complete.
        if hasPassedOn {
            hasPassedOn = false
            context.fireChannelReadComplete()
        }
    }

    func write(
        context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?
    ) {
        if case .end = unwrapOutboundIn(data) { answersDue -= 1 }
        context.write(data, promise: promise)
    }

    // MARK: Answers

    /// False when something has to be loaded first.
    private func answer(
        _ request: GateRequest, _ head: HTTPRequestHead, _ context: ChannelHandlerContext
    ) -> Bool {
        guard let encoder else { return false }
        let now = appliance.clock.now()
        let span = request.traceparent == nil ? nil : span(of: request, head)
        let decision = appliance.gate(request.query, request.credential, at: now, &review) {
            appliance.clients.address(
                forwardedFor: request.forwardedFor, from: context.channel.remoteAddress)
        }
        let buffer: ByteBuffer
        var status = 200
        switch decision {
        case .cold, .shared: return false
        case .allowed(let caller):
            buffer = writer.grant(Identity(caller), review.states, requestID: request.id, at: now)
        case .refused(let problem, let caller):
            let id = appliance.requestIDs.id(for: request.id)
            let answer = appliance.refusal(problem, caller, query: request.query, requestID: id)
            buffer = writer.refusal(answer, requestID: id, at: now)
            status = answer.status.code
        }
        span?.endRequest(
            method: head.method.rawValue, route: Appliance.gatePath, status: status,
            isSecure: isSecure)
        encoder.write(NIOAny(buffer), promise: nil)
        hasUnflushed = true
        connectionGuard.didAnswer()
        appliance.gateAnswers.next()
        return true
    }

    /// For a caller who records its own; one that is never ended is never sent.
    private func span(of request: GateRequest, _ head: HTTPRequestHead) -> RecordedSpan? {
        guard let tracer = appliance.tracer, let parent = request.traceparent,
            let remote = TraceContext(
                traceparent: parent, state: head.headers["tracestate"]), remote.isSampled
        else { return nil }
        var context = InstrumentationContext.topLevel
        return tracer.root(head.method.rawValue, .server, from: remote, in: &context)
    }
}

/// What the gate needs of a request's head; nil when the request is not a plain one for it.
struct GateRequest {
    private(set) var query: Substring?
    private(set) var credential = Credential.none
    private(set) var id: String?
    private(set) var forwardedFor: [String] = []
    private(set) var traceparent: String?

    private static let path = Appliance.gatePath.utf8

    init?(_ head: HTTPRequestHead) {
        guard head.version == .http1_1, Self.isGateMethod(head.method),
            head.uri.utf8.starts(with: Self.path)
        else { return nil }
        let rest = head.uri[head.uri.utf8.index(head.uri.startIndex, offsetBy: Self.path.count)...]
        guard rest.isEmpty || rest.utf8.first == UInt8(ascii: "?"), !rest.utf8.contains(Self.hash)
        else { return nil }
        if !rest.isEmpty { query = rest.dropFirst() }
        guard read(head.headers) else { return nil }
    }

    private static let hash = UInt8(ascii: "#")

    private static func isGateMethod(_ method: HTTPMethod) -> Bool {
        switch method {
        case .GET, .POST, .PUT, .PATCH, .DELETE, .OPTIONS: true
        default: false
        }
    }

    /// False for a header that makes the request an unusual one.
    private mutating func read(_ headers: HTTPHeaders) -> Bool {
        var apiKey: String?
        var authorization: String?
        for (name, value) in headers {
            switch Header(name) {
            case nil: break
            case .apiKey:
                guard apiKey == nil else { return false }
                apiKey = value
            case .authorization:
                guard authorization == nil else { return false }
                authorization = value
            case .requestID:
                guard id == nil else { return false }
                id = value
            case .forwardedFor: forwardedFor.append(value)
            case .traceparent:
                guard traceparent == nil else { return false }
                traceparent = value
            case .contentLength where value == "0": break
            case .connection where value == "keep-alive": break
            case .contentLength, .connection, .transferEncoding, .expect, .upgrade: return false
            }
        }
        credential = Credential(apiKey: apiKey, authorization: authorization)
        return true
    }

    /// The headers that matter here.
    private enum Header: String, CaseIterable {
        case apiKey = "x-api-key"
        case authorization
        case requestID = "x-request-id"
        case forwardedFor = "x-forwarded-for"
        case traceparent
        case contentLength = "content-length"
        case connection
        case transferEncoding = "transfer-encoding"
        case expect
        case upgrade

        init?(_ name: String) {
            let known: Header
            switch name.utf8.count {
            case 6: known = .expect
            case 7: known = .upgrade
            case 9: known = .apiKey
            case 10: known = .connection
            case 11: known = .traceparent
            case 12: known = .requestID
            case 13: known = .authorization
            case 14: known = .contentLength
            case 15: known = .forwardedFor
            case 17: known = .transferEncoding
            default: return nil
            }
            guard name.utf8.elementsEqual(known.rawValue.utf8, by: { $0 | 0x20 == $1 | 0x20 })
            else { return nil }
            self = known
        }
    }
}
