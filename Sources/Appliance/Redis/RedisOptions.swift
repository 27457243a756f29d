import Domain
import NIOCore

/// Where the server is, and how to come in.
struct RedisOptions: Sendable {
    let place: ServerPlace
    /// Nil: in the clear.
    let tls: ClientTLS?
    /// Nil: the server's default user.
    let user: String?
    let password: Secret?
    let database: Int
    /// For one answer, and the silence after which the server is asked for a sign of life.
    let timeout: TimeAmount

    /// Connecting, with TLS, is some trips there and back.
    var connectTimeout: TimeAmount { timeout * 4 }

    init(
        _ url: RedisURL, password: Secret? = nil, timeout: Duration = .milliseconds(500),
        caFile: String? = nil
    ) throws(UnusableAuthorities) {
        place = url.place
        user = url.user
        self.password = password ?? url.password
        database = url.database
        self.timeout = TimeAmount(timeout)
        if url.isSecure, case .host(let host, _) = url.place {
            tls = ClientTLS(context: try .client("redis", caFile: caFile), host: host)
        } else {
            tls = nil
        }
    }
}

extension Configuration {
    /// Nil without `redis.url`.
    func redisOptions() throws -> RedisOptions? {
        guard let url = redis.url else { return nil }
        return try RedisOptions(
            url,
            password: try redis.passwordFile.map {
                try Secret(file: $0, key: "redis.password_file")
            },
            timeout: redis.timeout, caFile: redis.caFile)
    }
}
