import Domain
import HTTPTypes
import Hummingbird
import NIOCore

/// What travels with one request. One id and one `now` for all of it.
struct Context: RequestContext {
    var coreContext: CoreRequestContextStorage
    var requestID = ""
    var now = Timestamp.epoch
    let channel: any Channel

    init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        channel = source.channel
    }
}

/// Where a request came from, for sessions, throttles and the audit log.
package struct Origin: Sendable {
    package let requestID: String
    package let address: IPAddress?
    package let userAgent: String?

    package init(requestID: String, address: IPAddress?, userAgent: String?) {
        self.requestID = requestID
        self.address = address
        self.userAgent = userAgent
    }

    /// Kept of a client's self-description.
    static let userAgentMax = 200
}

extension HTTPField.Name {
    static func known(_ name: String) -> HTTPField.Name {
        // Every caller passes a literal that is a token; the fallback is never taken.
        HTTPField.Name(name) ?? .from
    }

    static let requestID = known("X-Request-Id")
    static let apiKey = known("X-API-Key")
    static let forwardedFor = known("X-Forwarded-For")
    static let rateLimit = known("RateLimit")
    static let rateLimitPolicy = known("RateLimit-Policy")
    static let gatehouseUser = known("X-Gatehouse-User")
    static let gatehouseKey = known("X-Gatehouse-Key")
    static let gatehousePlan = known("X-Gatehouse-Plan")
    static let gatehouseRole = known("X-Gatehouse-Role")
    static let gatehouseScopes = known("X-Gatehouse-Scopes")
    static let gatehouseStatus = known("X-Gatehouse-Status")
    static let gatehouseCode = known("X-Gatehouse-Code")
    static let idempotencyKey = known("Idempotency-Key")
    static let idempotentReplayed = known("Idempotent-Replayed")
    static let fetchSite = known("Sec-Fetch-Site")
    static let referrerPolicy = known("Referrer-Policy")
    static let openerPolicy = known("Cross-Origin-Opener-Policy")
}
