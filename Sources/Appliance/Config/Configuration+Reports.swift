import Domain
import Logging

/// What other systems are told of this one: traces and errors.
extension Configuration {
    package struct OTLP: Sendable, Equatable {
        /// Nil: there are no spans.
        package var endpoint: ReportURL?
        package var headers: [Header] = []
        package var attributes: [Attribute] = []
        package var sampleRatio = 0.1
        package var interval: Duration = .seconds(5)
        package var timeout: Duration = .seconds(10)
        /// Nil: the certificate authorities that the system trusts.
        package var caFile: String?
    }

    package struct Sentry: Sendable, Equatable {
        /// Nil: errors are in the log alone.
        package var dsn: SentryDSN?
        package var environment = "production"
        package var timeout: Duration = .seconds(10)
        package var caFile: String?
    }

    /// `name=value` for a request's header; the value may be a credential.
    package struct Header: Sendable, Equatable {
        package let name: String
        package let value: Secret

        package init?(_ text: String) {
            guard let pair = Pair(text), pair.name.utf8.allSatisfy(Self.isToken) else { return nil }
            name = pair.name
            value = Secret(pair.value)
        }

        /// RFC 9110, 5.6.2.
        private static func isToken(_ byte: UInt8) -> Bool {
            Base62.isDigit(byte) || "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
    }

    /// `name=value` of who reports.
    package struct Attribute: Sendable, Equatable {
        package let name: String
        package let value: String

        package init?(_ text: String) {
            guard let pair = Pair(text) else { return nil }
            name = pair.name
            value = pair.value
        }
    }

    private struct Pair {
        let name: String
        let value: String

        init?(_ text: String) {
            guard let equals = text.firstIndex(of: "="), !Text.hasUnsafeCharacter(text),
                text.utf8.count <= 4096
            else { return nil }
            name = String(text[..<equals])
            value = String(text[text.index(after: equals)...])
            guard !name.isEmpty, !value.isEmpty else { return nil }
        }
    }
}

extension Configuration.OTLP {
    /// Nil: there are no spans.
    var tracer: SpanTracer? { endpoint.map { _ in SpanTracer(ratio: sampleRatio) } }
}

extension Configuration {
    func exporter(
        of tracer: SpanTracer?, clock: WallClock, logger: Logger
    ) throws(UnusableAuthorities) -> OTLPExporter? {
        guard let tracer, let url = otlp.endpoint else { return nil }
        return try OTLPExporter(otlp, to: url, tracer: tracer, clock: clock, logger: logger)
    }

    func sender(
        of faults: FaultReporter?, clock: WallClock, logger: Logger
    ) throws(UnusableAuthorities) -> SentrySender? {
        guard let faults, let dsn = sentry.dsn else { return nil }
        return try SentrySender(sentry, to: dsn, reporter: faults, clock: clock, logger: logger)
    }
}
