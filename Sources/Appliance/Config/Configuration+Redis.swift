/// What several daemons on one store share.
extension Configuration {
    package struct Redis: Sendable, Equatable {
        /// Nil: this daemon is the only one on its store.
        package var url: RedisURL?
        /// Nil: the password is in the URL, or there is none.
        package var passwordFile: String?
        package var timeout: Duration = .milliseconds(500)
        /// Nil: the certificate authorities that the system trusts.
        package var caFile: String?
    }

    /// Several daemons serve this store.
    var isShared: Bool { redis.url != nil }

    /// Keys that only fit together. Nil if all is well.
    var redisMistake: String? {
        guard let url = redis.url else { return nil }
        if !isOnPostgres {
            return "redis.url: several daemons need a store on PostgreSQL, and store.url is a file"
        }
        if url.password != nil, redis.passwordFile != nil {
            return "redis.url and redis.password_file: expected a password in one of them"
        }
        if url.user != nil, url.password == nil, redis.passwordFile == nil {
            return "redis.url: expected a password for the user, there or in redis.password_file"
        }
        // By default it is the address that one node listens on.
        if server.publicURL == nil {
            return "server.public_url: expected with redis.url, the same on every node: their "
                + "tokens and links name it"
        }
        return nil
    }
}
