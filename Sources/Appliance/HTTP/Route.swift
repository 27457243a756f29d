import Domain
import HTTPTypes

/// One call of the API: where it is, who may make it, how large its body may be, what answers it.
///
/// The list of routes is the single source: the server serves it, the permission test walks it, and
/// the API's description is made of it.
package struct Route: Sendable {
    /// Who may call. Nothing is open by omission: a route without access does not compile.
    package enum Access: Sendable, Equatable {
        case open
        /// Somebody who is signed in with an access token.
        case user
        /// Anybody with this scope: a signed-in user has every scope of their role.
        case scope(Scope)
        /// Support and admins, or a key with `admin:read`.
        case adminRead
        /// Admins, or a key with `admin:write`.
        case adminWrite
    }

    package typealias Handler = @Sendable (Call) async throws(Problem) -> Answer

    package let method: HTTPRequest.Method
    /// With parameters in braces: `/api/v1/items/{id}`.
    package let path: String
    package let access: Access
    package let bodyMax: Int
    /// Free calls have a generous rate limit of their own; metered ones have the plan's.
    package let isThrottled: Bool
    /// It honours an `Idempotency-Key`; its handler keeps the answer (`Call.keep`).
    package let creates: Bool
    package let handler: Handler

    /// Bodies of everything but bulk calls (security B1).
    package static let bodyMaxDefault = 16 * 1024

    init(
        _ method: HTTPRequest.Method, _ path: String, _ access: Access,
        bodyMax: Int = bodyMaxDefault, isThrottled: Bool = true, creates: Bool = false,
        _ handler: @escaping Handler
    ) {
        self.method = method
        self.path = path
        self.access = access
        self.bodyMax = bodyMax
        self.isThrottled = isThrottled
        self.creates = creates
        self.handler = handler
    }

    /// What people do with their own account, enrolling a second factor among it.
    var isOwnAccount: Bool { path == "/api/v1/me" || path.hasPrefix("/api/v1/me/") }

    /// Whether a request's path is this route's, whatever its method.
    func matches(path: some StringProtocol) -> Bool {
        let wanted = self.path.split(separator: "/")
        let given = path.split(separator: "/")
        return wanted.count == given.count
            && zip(wanted, given).allSatisfy { $0.hasPrefix("{") || $0 == $1 }
    }
}
