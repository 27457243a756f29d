extension ConfigurationKey {
    /// The keys that a running daemon takes over on SIGHUP: those that are looked at each time they
    /// are needed. What a socket, a thread, the store or a token's issuer was made with stays.
    package static let reloadable: Set<String> = [
        "server.allowed_hosts", "server.trusted_proxies",
        "backup.directory", "backup.key_file",
        "auth.require_verified_email", "auth.refresh_token_ttl", "auth.session_ttl",
        "auth.refresh_grace", "auth.signing_key_max_age",
        "limits.api_per_minute_user", "limits.api_per_minute_address",
        "log.level", "log.requests", "log.slow_request", "log.slow_query",
    ]

    package var isReloadable: Bool { Self.reloadable.contains(name) }
}

/// What a reload would change in a running configuration.
package struct ConfigurationChange: Sendable, Equatable {
    /// The running one with every reloadable key of the new one.
    package private(set) var result: Configuration
    /// Names of keys whose new value is in `result`.
    package private(set) var changed: [String] = []
    /// Names of keys whose new value waits for a restart.
    package private(set) var needsRestart: [String] = []

    package init(from running: Configuration, to new: Configuration) {
        result = running
        for key in ConfigurationKey.all where key.shown(running) != key.shown(new) {
            if key.isReloadable {
                key.copy(&result, new)
                changed.append(key.name)
            } else {
                needsRestart.append(key.name)
            }
        }
    }
}
