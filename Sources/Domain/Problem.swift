/// The one error of this system: what the client is told, and a cause that only the log sees.
package struct Problem: Error, Sendable {
    /// The stable words of the contract; clients branch on them.
    package enum Code: String, CaseIterable, Sendable {
        case invalidJSON = "invalid_json"
        case validationFailed = "validation_failed"
        case unsupportedMediaType = "unsupported_media_type"
        case payloadTooLarge = "payload_too_large"
        case notFound = "not_found"
        case methodNotAllowed = "method_not_allowed"
        case unauthorized = "unauthorized"
        case invalidCredentials = "invalid_credentials"
        case otpRequired = "otp_required"
        case invalidToken = "invalid_token"
        case invalidRefreshToken = "invalid_refresh_token"
        case refreshTokenReused = "refresh_token_reused"
        case forbidden = "forbidden"
        case insufficientScope = "insufficient_scope"
        case csrf = "csrf"
        case emailTaken = "email_taken"
        case weakPassword = "weak_password"
        case conflict = "conflict"
        case lastAdmin = "last_admin"
        case idempotencyMismatch = "idempotency_mismatch"
        case idempotencyInProgress = "idempotency_in_progress"
        case rateLimited = "rate_limited"
        case quotaExceeded = "quota_exceeded"
        case concurrencyExceeded = "concurrency_exceeded"
        case limitReached = "limit_reached"
        case subscriptionRequired = "subscription_required"
        case leaseLost = "lease_lost"
        case reservationLost = "reservation_lost"
        case overloaded = "overloaded"
        case unavailable = "unavailable"
        case `internal` = "internal"
    }

    /// One field of a request that was refused. `field` is a path such as `limits.max_items`.
    package struct Field: Equatable, Sendable {
        package let field: String
        package let code: String
        package let message: String

        package init(_ field: String, _ code: String, _ message: String) {
            self.field = field
            self.code = code
            self.message = message
        }
    }

    package let code: Code
    /// Safe to show to anybody: never a value that came from a secret or from another customer.
    package var detail: String
    package var errors: [Field] = []
    /// When a retry can succeed, for `Retry-After`.
    package var retryAfter: Duration?
    /// Extension members (RFC 9457, 3.2), such as `limit` and `used`.
    package var members: [JSON.Member] = []
    /// The limits that were looked at, and when: a refusal of the gate shows them in its headers.
    package var limits: [LimitState] = []
    package var limitsAt = Timestamp.epoch
    /// For the log alone.
    package var cause: String?

    package init(_ code: Code, _ detail: String) {
        self.code = code
        self.detail = detail
    }

    package static func invalid(_ errors: [Field]) -> Problem {
        var problem = Problem(.validationFailed, "The request has fields that are not valid.")
        problem.errors = errors
        return problem
    }

    package static func invalid(_ field: String, _ code: String, _ message: String) -> Problem {
        invalid([Field(field, code, message)])
    }

    package static func notFound(_ what: String) -> Problem {
        Problem(.notFound, "There is no such \(what).")
    }

    package static func `internal`(cause: String) -> Problem {
        var problem = Problem(.internal, "Something went wrong on our side.")
        problem.cause = cause
        return problem
    }

    package static func overloaded(_ what: String, retryAfter: Duration) -> Problem {
        var problem = Problem(.overloaded, "\(what) is busy; try again shortly.")
        problem.retryAfter = retryAfter
        return problem
    }
}
