import Domain
import HTTPTypes

/// What a request presents: an API key, an access token, or nothing of use. Read from headers
/// alone, never from an address (security T9).
enum Credential: Sendable, Equatable {
    case none
    case apiKey(String)
    case accessToken(String)

    /// `X-API-Key` wins over `Authorization`.
    init(apiKey: String?, authorization: String?) {
        if let apiKey {
            self = .apiKey(apiKey)
            return
        }
        guard let authorization, authorization.utf8.count > Self.scheme.utf8.count,
            Self.isBearer(authorization)
        else {
            self = .none
            return
        }
        self.init(bearer: String(authorization.dropFirst(Self.scheme.utf8.count)))
    }

    /// What stands behind `Bearer`.
    init(bearer text: String) {
        self = APIKeyText.hasPrefix(text) ? .apiKey(text) : .accessToken(text)
    }

    init(_ headers: HTTPFields) {
        self.init(apiKey: headers[.apiKey], authorization: headers[.authorization])
    }

    private static let scheme = "bearer "

    /// The scheme's name has no case (RFC 9110, 11.1).
    private static func isBearer(_ authorization: String) -> Bool {
        zip(authorization.utf8, scheme.utf8).allSatisfy { $0 | 0x20 == $1 | 0x20 }
    }
}
