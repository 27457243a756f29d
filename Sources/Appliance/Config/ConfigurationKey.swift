import Domain

/// One key of the configuration: its name, what its value must look like, and where it goes.
package struct ConfigurationKey: Sendable {
    package let name: String
    /// What was expected, for the message that refuses a value.
    package let expected: String
    let isList: Bool
    /// False when the value is not what was expected.
    let set: @Sendable (inout Configuration, [String]) -> Bool
    /// Takes the key's value over from another configuration.
    let copy: @Sendable (inout Configuration, Configuration) -> Void
    /// The value as it would be written.
    package let shown: @Sendable (Configuration) -> String

    /// `server.listen` is `GATEHOUSE_SERVER_LISTEN`.
    package var environmentName: String {
        "GATEHOUSE_" + name.uppercased().map { $0 == "." ? "_" : String($0) }.joined()
    }

    static func scalar<Value>(
        _ name: String, _ expected: String,
        _ path: any WritableKeyPath<Configuration, Value> & Sendable,
        parse: @escaping @Sendable (String) -> Value?,
        show: @escaping @Sendable (Value) -> String
    ) -> ConfigurationKey {
        ConfigurationKey(
            name: name, expected: expected, isList: false,
            set: { configuration, texts in
                guard texts.count == 1, let value = parse(texts[0]) else { return false }
                configuration[keyPath: path] = value
                return true
            },
            copy: { $0[keyPath: path] = $1[keyPath: path] },
            shown: { show($0[keyPath: path]) })
    }

    static func list<Value>(
        _ name: String, _ expected: String,
        _ path: any WritableKeyPath<Configuration, [Value]> & Sendable,
        parse: @escaping @Sendable (String) -> Value?,
        show: @escaping @Sendable (Value) -> String
    ) -> ConfigurationKey {
        ConfigurationKey(
            name: name, expected: expected, isList: true,
            set: { configuration, texts in
                let values = texts.compactMap(parse)
                guard values.count == texts.count else { return false }
                configuration[keyPath: path] = values
                return true
            },
            copy: { $0[keyPath: path] = $1[keyPath: path] },
            shown: { "[" + $0[keyPath: path].map(show).joined(separator: ", ") + "]" })
    }

    private static func integer(
        _ name: String, _ range: ClosedRange<Int>,
        _ path: any WritableKeyPath<Configuration, Int> & Sendable
    ) -> ConfigurationKey {
        scalar(
            name, "a whole number from \(range.lowerBound) to \(range.upperBound)", path,
            parse: { Int($0).flatMap { range.contains($0) ? $0 : nil } }, show: { String($0) })
    }

    private static func bool(
        _ name: String, _ path: any WritableKeyPath<Configuration, Bool> & Sendable
    ) -> ConfigurationKey {
        scalar(
            name, "true or false", path,
            parse: { $0 == "true" ? true : $0 == "false" ? false : nil }, show: { String($0) })
    }

    static func duration(
        _ name: String, _ least: String, _ most: String,
        _ path: any WritableKeyPath<Configuration, Duration> & Sendable
    ) -> ConfigurationKey {
        let range = (DurationText.parse(least) ?? .zero)...(DurationText.parse(most) ?? .zero)
        return scalar(
            name, "a duration from \(least) to \(most), such as 500ms, 15m or 30d", path,
            parse: { DurationText.parse($0).flatMap { range.contains($0) ? $0 : nil } },
            show: DurationText.show)
    }

    private static func choice(
        _ name: String, _ words: [String],
        _ path: any WritableKeyPath<Configuration, String> & Sendable
    ) -> ConfigurationKey {
        scalar(
            name, "one of " + words.joined(separator: ", "), path,
            parse: { words.contains($0) ? $0 : nil }, show: { $0 })
    }

    static func optionalText(
        _ name: String, _ expected: String,
        _ path: any WritableKeyPath<Configuration, String?> & Sendable,
        isValid: @escaping @Sendable (String) -> Bool
    ) -> ConfigurationKey {
        scalar(
            name, expected, path,
            parse: { text in text.isEmpty ? .some(nil) : isValid(text) ? .some(text) : nil },
            show: { $0 ?? "" })
    }

    private static func timeOfDay(
        _ name: String, _ path: any WritableKeyPath<Configuration, TimeOfDay?> & Sendable
    ) -> ConfigurationKey {
        scalar(
            name, "a time of day in UTC such as 03:00, or nothing", path,
            parse: { text in text.isEmpty ? .some(nil) : TimeOfDay(text).map { .some($0) } },
            show: { $0?.description ?? "" })
    }

    static func text(
        _ name: String, _ expected: String,
        _ path: any WritableKeyPath<Configuration, String> & Sendable,
        isValid: @escaping @Sendable (String) -> Bool
    ) -> ConfigurationKey {
        scalar(
            name, expected, path, parse: { isValid($0) ? $0 : nil }, show: { $0 })
    }
}

extension ConfigurationKey {
    /// Every key there is, in the order of config/gatehouse.yaml.
    package static let all: [ConfigurationKey] =
        server + metrics + docs + store + redis + backup + auth + limits + usage + mail + jobs + log
        + reports

    private static let server: [ConfigurationKey] = [
        scalar(
            "server.listen", "HOST:PORT", \.server.listen, parse: { ListenAddress($0) },
            show: \.description),
        optionalText(
            "server.public_url", "http:// or https:// and a host, without a path or slash behind",
            \.server.publicURL, isValid: isOrigin),
        list(
            "server.allowed_hosts", "a list of host names", \.server.allowedHosts,
            parse: { $0.isEmpty || $0.contains("/") ? nil : $0.lowercased() }, show: { $0 }),
        list(
            "server.trusted_proxies", "a list of addresses or networks such as 10.0.0.0/8",
            \.server.trustedProxies, parse: { Network($0) }, show: \.description),
        integer("server.connections_max", 1...1_000_000, \.server.connectionsMax),
        integer(
            "server.connections_per_address_max", 1...1_000_000,
            \.server.connectionsPerAddressMax),
        duration("server.header_timeout", "1s", "5m", \.server.headerTimeout),
        duration("server.body_timeout", "1s", "10m", \.server.bodyTimeout),
        duration("server.idle_timeout", "1s", "1h", \.server.idleTimeout),
        duration("server.drain_delay", "0s", "10m", \.server.drainDelay),
        duration("server.drain_timeout", "1s", "10m", \.server.drainTimeout),
        optionalText("server.tls.certificate", "a PEM file", \.server.tls.certificate) {
            !$0.isEmpty
        },
        optionalText("server.tls.key", "a PEM file", \.server.tls.key) { !$0.isEmpty },
    ]

    private static let metrics: [ConfigurationKey] = [
        scalar(
            "metrics.listen", "HOST:PORT, or off", \.metrics.listen,
            parse: { text in
                text.isEmpty || text == "off" ? .some(nil) : ListenAddress(text).map { .some($0) }
            }, show: { $0?.description ?? "off" })
    ]

    private static let docs: [ConfigurationKey] = [
        choice("docs.pages", ["local", "always", "never"], \.docs.pages)
    ]

    private static let store: [ConfigurationKey] = [
        text("store.url", "sqlite: and a path, or postgres:// and a server", \.store.url) {
            Configuration.Store.isURL($0)
        },
        optionalText("store.password_file", "a file", \.store.passwordFile) { !$0.isEmpty },
        integer("store.readers", 1...64, \.store.readers),
        integer("store.writer_queue", 1...1_000_000, \.store.writerQueue),
    ]

    private static let backup: [ConfigurationKey] = [
        text("backup.directory", "a folder", \.backup.directory) { !$0.isEmpty },
        optionalText("backup.key_file", "a file", \.backup.keyFile) { !$0.isEmpty },
        timeOfDay("backup.at", \.backup.at),
        integer("backup.keep_daily", 0...1000, \.backup.keep.daily),
        integer("backup.keep_weekly", 0...1000, \.backup.keep.weekly),
        integer("backup.keep_monthly", 0...1000, \.backup.keep.monthly),
        bool("backup.before_migration", \.backup.beforeMigration),
    ]

    private static let auth: [ConfigurationKey] = [
        bool("auth.require_verified_email", \.auth.requireVerifiedEmail),
        bool("auth.require_totp_for_admins", \.auth.requireTOTPForAdmins),
        integer(
            "auth.password_min_length", PasswordPolicy.lengthLeast...128, \.auth.passwordMinLength),
        duration("auth.access_token_ttl", "1s", "1h", \.auth.accessTokenTTL),
        duration("auth.refresh_token_ttl", "1m", "365d", \.auth.refreshTokenTTL),
        duration("auth.session_ttl", "1m", "730d", \.auth.sessionTTL),
        duration("auth.refresh_grace", "0s", "1m", \.auth.refreshGrace),
        scalar(
            "auth.algorithm", "one of EdDSA, ES256, RS256, HS256", \.auth.algorithm,
            parse: { SigningAlgorithm(rawValue: $0) }, show: \.rawValue),
        duration("auth.recent_sign_in", "0s", "1d", \.auth.recentSignIn),
        duration("auth.signing_key_max_age", "1d", "3650d", \.auth.signingKeyMaxAge),
        optionalText("auth.sealing_keys_file", "a file", \.auth.sealingKeysFile) { !$0.isEmpty },
        optionalText("auth.issuer", "a URL", \.auth.issuer) { $0.contains("://") },
        text("auth.audience", "a word", \.auth.audience) { !$0.isEmpty },
        integer("auth.argon2_memory_kib", 19_456...1_048_576, \.auth.argon2MemoryKiB),
        integer("auth.argon2_iterations", 2...100, \.auth.argon2Iterations),
        integer("auth.argon2_threads", 0...64, \.auth.argon2Threads),
        integer("auth.argon2_queue", 1...10_000, \.auth.argon2Queue),
    ]

    private static let limits: [ConfigurationKey] = [
        bool("limits.auth_enabled", \.limits.authEnabled),
        duration("limits.checkpoint_interval", "10ms", "1m", \.limits.checkpointInterval),
        integer("limits.customers_in_memory", 100...100_000_000, \.limits.customersInMemory),
        integer("limits.api_per_minute_user", 1...100_000_000, \.limits.apiPerMinuteUser),
        integer("limits.api_per_minute_address", 1...100_000_000, \.limits.apiPerMinuteAddress),
        choice("limits.rates_without_redis", ["closed", "open"], \.limits.ratesWithoutRedis),
        bool("limits.local_blocks", \.limits.localBlocks),
    ]

    private static let usage: [ConfigurationKey] = [
        // A late event may count in an hour that is 32 days old, which must not be dropped before.
        duration("usage.hours_kept", "35d", "3650d", \.usage.hoursKept),
        duration("usage.days_kept", "35d", "36500d", \.usage.daysKept),
    ]

    private static let mail: [ConfigurationKey] = [
        choice("mail.transport", ["mailbox", "smtp"], \.mail.transport),
        text("mail.from", "an address, or a name and an address in <>", \.mail.from) {
            MailSender($0) != nil
        },
        text("mail.smtp.host", "a host name or an address", \.mail.smtp.host) { host in
            host.utf8.count <= 253
                && host.utf8.allSatisfy { (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "/") }
        },
        integer("mail.smtp.port", 1...65_535, \.mail.smtp.port),
        scalar(
            "mail.smtp.security", "one of starttls, tls, none", \.mail.smtp.security,
            parse: { Configuration.SMTP.Security(rawValue: $0) }, show: \.rawValue),
        text("mail.smtp.username", "a name", \.mail.smtp.username) {
            !Text.hasUnsafeCharacter($0)
        },
        scalar(
            "mail.smtp.password", "a text without control characters", \.mail.smtp.password,
            parse: { Text.hasUnsafeCharacter($0) ? nil : Secret($0) },
            show: { $0.text.isEmpty ? "" : $0.description }),
        optionalText("mail.smtp.ca_file", "a file", \.mail.smtp.caFile) { !$0.isEmpty },
        duration("mail.smtp.timeout", "1s", "1m", \.mail.smtp.timeout),
        scalar(
            "audit.keep", "forever, or a duration from 90d to 36500d", \.audit.keep,
            parse: { text in
                if text == "forever" { return .some(nil) }
                guard let kept = DurationText.parse(text),
                    (.seconds(90 * 86_400))...(.seconds(36_500 * 86_400)) ~= kept
                else { return nil }
                return .some(kept)
            }, show: { $0.map(DurationText.show) ?? "forever" }),
    ]

    private static let jobs: [ConfigurationKey] = [
        integer("jobs.workers", 1...64, \.jobs.workers),
        duration("jobs.lease", "5s", "1h", \.jobs.lease),
        duration("jobs.done_kept", "1h", "3650d", \.jobs.doneKept),
        duration("jobs.dead_kept", "1h", "3650d", \.jobs.deadKept),
        schedule("jobs.expire_subscriptions", \.jobs.expireSubscriptions),
        schedule("jobs.clean_up", \.jobs.cleanUp),
        schedule("jobs.rotate_signing_key", \.jobs.rotateSigningKey),
        schedule("jobs.roll_up_usage", \.jobs.rollUpUsage),
        timeOfDay("jobs.drill", \.backup.drillAt),
    ]

    private static func schedule(
        _ name: String, _ path: any WritableKeyPath<Configuration, String> & Sendable
    ) -> ConfigurationKey {
        text(
            name,
            "a schedule such as \"30 3 * * *\" (minute hour day month weekday, in UTC) or "
                + "\"@every 15m\", or \"\" for never", path
        ) { $0.isEmpty || Schedule.isValid($0) }
    }

    private static let log: [ConfigurationKey] = [
        choice("log.level", ["trace", "debug", "info", "notice", "warning", "error"], \.log.level),
        choice("log.requests", ["off", "errors", "all"], \.log.requests),
        duration("log.slow_request", "0s", "1h", \.log.slowRequest),
        duration("log.slow_query", "0s", "1h", \.log.slowQuery),
    ]

    @Sendable private static func isOrigin(_ text: String) -> Bool {
        guard let scheme = ["https://", "http://"].first(where: text.hasPrefix) else {
            return false
        }
        let host = text.dropFirst(scheme.count)
        return !host.isEmpty && !host.contains { "/?#@ ".contains($0) }
    }
}

/// Durations in configuration: a whole number and ms, s, m, h or d.
package enum DurationText {
    private static let units: [(suffix: String, milliseconds: Int64)] = [
        ("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000),
    ]

    package static func parse(_ text: String) -> Duration? {
        for unit in units where text.hasSuffix(unit.suffix) {
            guard let count = Int64(text.dropLast(unit.suffix.count)), count >= 0,
                count < 1_000_000_000
            else { continue }
            return .milliseconds(count * unit.milliseconds)
        }
        return nil
    }

    package static func show(_ duration: Duration) -> String {
        let milliseconds = duration.wholeMilliseconds
        let fits = units.last {
            milliseconds % $0.milliseconds == 0 && milliseconds >= $0.milliseconds
        }
        guard let fits else { return "\(milliseconds)ms" }
        return "\(milliseconds / fits.milliseconds)\(fits.suffix)"
    }
}
