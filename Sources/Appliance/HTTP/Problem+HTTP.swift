import Domain
import HTTPTypes
import NIOCore

extension Problem.Code {
    /// The one table from codes to HTTP.
    var status: HTTPResponse.Status {
        switch self {
        case .invalidJSON, .invalidToken: .badRequest
        case .validationFailed, .weakPassword, .idempotencyMismatch: .unprocessableContent
        case .unsupportedMediaType: .unsupportedMediaType
        case .payloadTooLarge: .contentTooLarge
        case .notFound: .notFound
        case .methodNotAllowed: .methodNotAllowed
        case .unauthorized, .invalidCredentials, .otpRequired, .invalidRefreshToken,
            .refreshTokenReused:
            .unauthorized
        case .forbidden, .insufficientScope, .csrf, .limitReached: .forbidden
        case .emailTaken, .conflict, .lastAdmin, .idempotencyInProgress, .leaseLost,
            .reservationLost:
            .conflict
        case .rateLimited, .quotaExceeded, .concurrencyExceeded: .tooManyRequests
        case .subscriptionRequired: .init(code: 402, reasonPhrase: "Payment Required")
        case .overloaded, .unavailable: .serviceUnavailable
        case .internal: .internalServerError
        }
    }

    /// What went wrong, in a few words that never change for a code (RFC 9457, 3.1.3).
    var title: String {
        switch self {
        case .invalidJSON: "The body is not JSON"
        case .validationFailed: "The request is not valid"
        case .unsupportedMediaType: "The media type is not supported"
        case .payloadTooLarge: "The request is too large"
        case .notFound: "There is nothing here"
        case .methodNotAllowed: "The method is not allowed here"
        case .unauthorized: "A valid credential is needed"
        case .invalidCredentials: "The credentials are wrong"
        case .otpRequired: "A one-time password is needed"
        case .invalidToken: "The token is not valid"
        case .invalidRefreshToken: "The refresh token is not valid"
        case .refreshTokenReused: "The refresh token was used before"
        case .forbidden: "This is not allowed"
        case .insufficientScope: "The credential's scope does not allow this"
        case .csrf: "The request came from another site"
        case .emailTaken: "The e-mail address is taken"
        case .weakPassword: "The password is too weak"
        case .conflict: "The request conflicts with what is there"
        case .lastAdmin: "The last admin must stay"
        case .idempotencyMismatch: "The Idempotency-Key belongs to another request"
        case .idempotencyInProgress: "The first request with this Idempotency-Key is running"
        case .rateLimited: "Too many requests"
        case .quotaExceeded: "The quota is used up"
        case .concurrencyExceeded: "Too many at one time"
        case .limitReached: "The plan's limit is reached"
        case .subscriptionRequired: "An active plan is needed"
        case .leaseLost: "The lease belongs to somebody else"
        case .reservationLost: "The reservation is gone"
        case .overloaded: "The server is busy"
        case .unavailable: "The service is not available"
        case .internal: "The server failed"
        }
    }

    /// The next step for whoever meets it, on the page at `/problems/<code>`.
    var advice: String {
        switch status.code {
        case 400, 415, 422: "Change the request: \"errors\" names each field that was refused."
        case 401: "Sign in again, or present another credential."
        case 402: "Choose a plan: POST /api/v1/subscribe."
        case 403: "Another credential, scope or plan is needed; repeating will not help."
        case 404, 405: "Look at the address and the method."
        case 409: "Look at what is there now, then decide again."
        case 413: "Send less at a time."
        case 429: "Wait as long as Retry-After says."
        default: "Try again after Retry-After; if it stays, give the operator the request_id."
        }
    }
}

extension Problem {
    /// `application/problem+json` (RFC 9457).
    ///
    /// - Parameter status: in place of the code's own, where HTTP has a finer word for it.
    func answer(requestID: String, status: HTTPResponse.Status? = nil) -> Answer {
        let status = status ?? code.status
        var json = JSONWriter(capacity: 512)
        json.object { json in
            json.member("type", "/problems/\(code.rawValue)")
            json.member("title", code.title)
            json.member("status", Int64(status.code))
            json.member("detail", detail)
            json.member("code", code.rawValue)
            json.member("request_id", requestID)
            json.member("errors") { json in
                json.array(errors) { json, error in
                    json.object { json in
                        json.member("field", error.field)
                        json.member("code", error.code)
                        json.member("message", error.message)
                    }
                }
            }
            for member in members { json.member(member.name) { $0.value(member.value) } }
        }
        var headers = SecurityFields.all
        headers[.contentType] = "application/problem+json"
        if let retryAfter { headers[.retryAfter] = String(max(1, retryAfter.secondsUp)) }
        if status == .unauthorized { headers[.wwwAuthenticate] = "Bearer" }
        RateLimitFields.add(limits, at: limitsAt, to: &headers)
        return Answer(status, headers: headers, body: ByteBuffer(bytes: json.bytes))
    }
}
