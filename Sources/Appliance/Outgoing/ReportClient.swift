import Domain
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

/// Why a report was not taken; for the log.
struct ReportFailure: Error {
    let reason: String
}

struct ReportAnswer: Sendable {
    let status: Int
    let headers: HTTPHeaders
    let body: [UInt8]

    /// Seconds alone: a date is as good as none to who has a wait of its own.
    var retryAfter: Duration? {
        headers.first(name: "Retry-After").flatMap { Int64($0) }.map { .seconds(max(0, $0)) }
    }
}

/// Posts reports, one connection for each: they are few and come in batches, and a connection that
/// is kept would have to be found dead first.
final class ReportClient: Sendable {
    let url: ReportURL
    private let fields: [(name: String, value: String)]
    private let timeout: TimeAmount
    private let tls: NIOSSLContext?

    /// - Parameters:
    ///   - fields: headers of each request, with `Content-Type` among them.
    ///   - section: of the configuration, for who has to change it.
    ///   - caFile: certificate authorities in place of the system's.
    ///   - timeout: from the first look for the host until the whole answer is there.
    init(
        _ url: ReportURL, fields: [(name: String, value: String)], section: String,
        caFile: String?, timeout: Duration
    ) throws(UnusableAuthorities) {
        self.url = url
        self.fields = fields
        self.timeout = TimeAmount(timeout)
        tls = url.isSecure ? try .client(section, caFile: caFile) : nil
    }

    /// Returns what the other side says, whatever its status.
    func post(_ body: [UInt8]) async throws(ReportFailure) -> ReportAnswer {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let outcome = loop.makePromise(of: ReportAnswer.self)
        let request = ReportHandler.Request(head: head(bodyBytes: body.count), body: body)
        let place = ServerPlace.host(url.host, port: url.port)
        let secured = tls.map { ClientTLS(context: $0, host: url.host) }
        let channel: any Channel
        do throws(Unreachable) {
            channel = try await place.connect(on: loop, timeout: timeout, tls: secured) {
                [timeout] pipeline in
                try pipeline.addHTTPClientHandlers()
                try pipeline.addHandler(ReportHandler(request, timeout: timeout, outcome: outcome))
            }
        } catch {
            outcome.fail(CancellationError())
            throw ReportFailure(reason: "cannot reach \(url.authority): \(error.reason)")
        }
        do {
            return try await withTaskCancellationHandler {
                try await outcome.futureResult.get()
            } onCancel: {
                channel.close(promise: nil)
            }
        } catch let failure as ReportFailure {
            throw failure
        } catch {
            throw ReportFailure(reason: "\(error)")
        }
    }

    private func head(bodyBytes: Int) -> HTTPRequestHead {
        var headers = HTTPHeaders()
        headers.add(name: "Host", value: url.authority)
        headers.add(name: "User-Agent", value: "gatehouse/\(Gatehouse.version)")
        headers.add(name: "Content-Length", value: String(bodyBytes))
        headers.add(name: "Connection", value: "close")
        for field in fields { headers.add(name: field.name, value: field.value) }
        let target = url.path.isEmpty ? "/" : url.path
        return HTTPRequestHead(version: .http1_1, method: .POST, uri: target, headers: headers)
    }
}
