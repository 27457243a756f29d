import Domain
import HTTPTypes

/// One call of the API: where it is, who may make it, how large its body may be, what answers it.
///
/// The list of routes is the single source: the server serves it, the permission test walks it, and
/// the API's description (`OpenAPI`) is made of it.
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
    package private(set) var path: String
    package let access: Access
    /// What the API's description says of it. A route without one does not compile.
    package private(set) var operation: Operation
    package let bodyMax: Int
    /// Free calls have a generous rate limit of their own; metered ones have the plan's.
    package let isThrottled: Bool
    /// It honours an `Idempotency-Key`; its handler keeps the answer (`Call.keep`).
    package let creates: Bool
    package let handler: Handler
    /// When it is on its way out.
    private(set) var deprecation: Deprecation?

    /// Bodies of everything but bulk calls (security B1).
    package static let bodyMaxDefault = 16 * 1024

    init(
        _ method: HTTPRequest.Method, _ path: String, _ access: Access, _ operation: Operation,
        bodyMax: Int = bodyMaxDefault, isThrottled: Bool = true, creates: Bool = false,
        _ handler: @escaping Handler
    ) {
        self.method = method
        self.path = path
        self.access = access
        self.operation = operation
        self.bodyMax = bodyMax
        self.isThrottled = isThrottled
        self.creates = creates
        self.handler = handler
    }

    /// What people do with their own account, enrolling a second factor among it.
    var isOwnAccount: Bool { path == base + "/me" || path.hasPrefix(base + "/me/") }

    /// Where its version of the API begins: `/api/v1`. Empty outside of the API.
    var base: String {
        guard path.hasPrefix(Self.api) else { return "" }
        return Self.api + path.dropFirst(Self.api.count).prefix { $0 != "/" }
    }

    private static let api = "/api/"

    /// The same call under another version's name; what is outside of the API stays where it is.
    func moved(to version: String) -> Route {
        var moved = self
        moved.path = base.isEmpty ? path : Self.api + version + path.dropFirst(base.count)
        moved.operation.id += version.uppercased()
        return moved
    }

    func deprecated(_ deprecation: Deprecation) -> Route {
        var deprecated = self
        deprecated.deprecation = deprecation
        return deprecated
    }

    /// Whether a request's path is this route's, whatever its method.
    func matches(path: some StringProtocol) -> Bool {
        let wanted = self.path.split(separator: "/")
        let given = path.split(separator: "/")
        return wanted.count == given.count
            && zip(wanted, given).allSatisfy { $0.hasPrefix("{") || $0 == $1 }
    }
}
