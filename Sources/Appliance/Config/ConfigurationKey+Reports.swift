import Domain

extension ConfigurationKey {
    /// Traces and errors, for other systems.
    static let reports: [ConfigurationKey] = [
        scalar(
            "otlp.endpoint", "http:// or https://, a host, and perhaps a port and a path",
            \.otlp.endpoint,
            parse: { text in text.isEmpty ? .some(nil) : ReportURL(text).map { .some($0) } },
            show: { $0?.description ?? "" }),
        list(
            "otlp.headers", "a list of headers such as Authorization=secret", \.otlp.headers,
            parse: { Configuration.Header($0) }, show: { "\($0.name)=\($0.value)" }),
        list(
            "otlp.attributes", "a list such as deployment.environment.name=production",
            \.otlp.attributes, parse: { Configuration.Attribute($0) },
            show: { "\($0.name)=\($0.value)" }),
        scalar(
            "otlp.sample_ratio", "a number from 0 to 1", \.otlp.sampleRatio,
            parse: { text in Double(text).flatMap { (0...1).contains($0) ? $0 : nil } },
            show: { $0.description }),
        duration("otlp.interval", "100ms", "1m", \.otlp.interval),
        duration("otlp.timeout", "1s", "1m", \.otlp.timeout),
        optionalText("otlp.ca_file", "a file", \.otlp.caFile) { !$0.isEmpty },
        scalar(
            "sentry.dsn", "https://KEY@HOST/PROJECT", \.sentry.dsn,
            parse: { text in text.isEmpty ? .some(nil) : SentryDSN(text).map { .some($0) } },
            show: { $0.map { "\($0.key)@\($0.url.authority)" } ?? "" }),
        text("sentry.environment", "a word", \.sentry.environment) { word in
            (1...64).contains(word.utf8.count) && !Text.hasUnsafeCharacter(word)
                && !word.contains { "/ ".contains($0) }
        },
        duration("sentry.timeout", "1s", "1m", \.sentry.timeout),
        optionalText("sentry.ca_file", "a file", \.sentry.caFile) { !$0.isEmpty },
    ]
}
