import Logging
import Synchronization

/// The lines that a logger was given, for tests that look at them.
final class LogRecord: Sendable {
    private let kept = Mutex<[String]>([])

    var lines: [String] { kept.withLock { $0 } }

    var logger: Logger {
        Logger(label: "test") { _ in Handler(record: self) }
    }

    private struct Handler: LogHandler {
        let record: LogRecord
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.trace

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let data = (event.metadata ?? [:]).sorted { $0.key < $1.key }
            let line = (["\(event.level): \(event.message)"] + data.map { "\($0.key)=\($0.value)" })
                .joined(separator: " ")
            record.kept.withLock { $0.append(line) }
        }
    }
}
