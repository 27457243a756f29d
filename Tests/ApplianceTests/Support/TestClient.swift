import Domain
import NIOCore
import NIOHTTP1
import NIOPosix

/// What came back.
struct TestAnswer: Sendable {
    let status: Int
    let headers: HTTPHeaders
    let body: [UInt8]

    var text: String { String(decoding: body, as: UTF8.self) }

    /// The body as JSON; null when it is none.
    var json: JSON { (try? JSONParser.parse(body)) ?? .null }

    var code: String? { json["code"]?.text }

    var retryAfter: Int? { headers.first(name: "Retry-After").flatMap { Int($0) } }
}

/// One request on one connection, without blocking a thread that the server needs.
struct TestClient: Sendable {
    let port: Int

    struct NoAnswer: Error {}

    func send(
        _ method: String, _ path: String, _ headers: [(String, String)], _ body: [UInt8]?
    ) async throws -> TestAnswer {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHTTPClientHandlers()
                    return try NIOAsyncChannel<HTTPClientResponsePart, HTTPClientRequestPart>(
                        wrappingChannelSynchronously: channel)
                }
            }
        return try await channel.executeThenClose { inbound, outbound in
            var fields = HTTPHeaders(headers)
            fields.add(name: "Host", value: "127.0.0.1:\(port)")
            fields.add(name: "Connection", value: "close")
            fields.add(name: "Content-Length", value: String(body?.count ?? 0))
            let head = HTTPRequestHead(
                version: .http1_1, method: .init(rawValue: method), uri: path, headers: fields)
            // At once: a server that answers a head and closes would cut what is still to come.
            let content = body.map {
                [HTTPClientRequestPart.body(.byteBuffer(ByteBuffer(bytes: $0)))]
            }
            try await outbound.write(
                contentsOf: [.head(head)] + (content ?? []) + [.end(nil)])
            var status = 0
            var answered = HTTPHeaders()
            var received: [UInt8] = []
            for try await part in inbound {
                switch part {
                case .head(let head):
                    status = Int(head.status.code)
                    answered = head.headers
                case .body(let bytes): received += Array(buffer: bytes)
                case .end: return TestAnswer(status: status, headers: answered, body: received)
                }
            }
            throw NoAnswer()
        }
    }
}
