import Domain
import HTTPTypes

/// What a request presents: an API key, an access token, or nothing of use. Read from headers
/// alone, never from an address (security T9).
enum Credential: Sendable, Equatable {
    case none
    case apiKey(String)
    /// The whole `Authorization`: a token has some 600 bytes, and to look it up as it came copies
    /// none of them.
    case accessToken(authorization: String)

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
        let text = Self.token(in: authorization)
        self =
            APIKeyText.hasPrefix(text)
            ? .apiKey(String(text)) : .accessToken(authorization: authorization)
    }

    /// What stands behind `Bearer`.
    init(bearer text: String) { self.init(apiKey: nil, authorization: Self.scheme + text) }

    static func token(in authorization: String) -> Substring {
        authorization[
            authorization.utf8.index(authorization.startIndex, offsetBy: scheme.utf8.count)...]
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
