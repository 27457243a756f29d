import Domain
import HTTPTypes
import Hummingbird

/// The refresh token of a browser: out of reach of scripts and of other sites.
struct RefreshCookie: Sendable {
    /// `__Host-` binds the cookie to this host over TLS. Without TLS, on a loopback address,
    /// browsers refuse that name, and `Secure`.
    let isSecure: Bool

    private var name: String { isSecure ? "__Host-gatehouse_refresh" : "gatehouse_refresh" }

    private var attributes: String {
        "; Path=/; HttpOnly; SameSite=Strict" + (isSecure ? "; Secure" : "")
    }

    func holding(_ token: Secret, for span: Duration) -> String {
        "\(name)=\(token.text)\(attributes); Max-Age=\(span.secondsUp)"
    }

    var cleared: String { "\(name)=\(attributes); Max-Age=0" }

    func value(in headers: HTTPFields) -> Secret? {
        for field in headers[values: .cookie] {
            for pair in field.split(separator: ";") {
                let text = pair.drop { $0 == " " }
                if text.hasPrefix(name + "="), text.utf8.count > name.utf8.count + 1 {
                    return Secret(String(text.dropFirst(name.count + 1)))
                }
            }
        }
        return nil
    }
}

/// Cookies travel with requests that other sites cause; ours count only on requests of our own
/// pages (security C1): the browser says so in `Sec-Fetch-Site`, an older one in `Origin`.
enum SameOrigin {
    static func check(_ request: Request) throws(Problem) {
        let refusal = Problem(.csrf, "With the cookie, only this server's own pages may do this.")
        if let site = request.headers[.fetchSite] {
            guard site == "same-origin" else { throw refusal }
            return
        }
        guard let origin = request.headers[.origin], let authority = request.head.authority,
            origin == "https://" + authority || origin == "http://" + authority
        else { throw refusal }
    }
}
