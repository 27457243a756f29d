extension ConfigurationKey {
    static let redis: [ConfigurationKey] = [
        scalar(
            "redis.url",
            "redis://, rediss:// and a host, perhaps with USER:PASSWORD@, a port and a database, "
                + "or unix: and a path", \.redis.url,
            parse: { text in text.isEmpty ? .some(nil) : RedisURL(text).map { .some($0) } },
            show: { $0?.description ?? "" }),
        optionalText("redis.password_file", "a file", \.redis.passwordFile) { !$0.isEmpty },
        duration("redis.timeout", "50ms", "10s", \.redis.timeout),
        optionalText("redis.ca_file", "a file", \.redis.caFile) { !$0.isEmpty },
    ]
}
