import Domain
import Glibc
import Logging
import Synchronization

/// One JSON object a line on standard output: `time`, `level`, `message`, then the metadata as
/// members of their own. Values are JSON strings, so no value can start a line of its own (G2).
struct JSONLogHandler: LogHandler {
    /// Never below the threshold of the moment; a logger may ask for more.
    var logLevel: Logger.Level {
        get { max(leastLevel, LogThreshold.shared.level) }
        set { leastLevel = newValue }
    }

    private var leastLevel = Logger.Level.trace
    var metadata: Logger.Metadata = [:]
    /// The request and the trace of the task that writes a line.
    var metadataProvider: Logger.MetadataProvider? = .request

    let write: @Sendable ([UInt8]) -> Void
    private let clock: WallClock
    private let isJournaled: Bool
    private let faults: FaultReporter?

    init(
        clock: WallClock = .system, isJournaled: Bool = false, faults: FaultReporter? = nil,
        write: @escaping @Sendable ([UInt8]) -> Void = Self.print
    ) {
        self.clock = clock
        self.isJournaled = isJournaled
        self.faults = faults
        self.write = write
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var all = metadataProvider?.get() ?? [:]
        for more in [metadata, event.metadata ?? [:]] {
            all.merge(more) { _, own in own }
        }
        faults?.take(event, all)
        var json = JSONWriter(capacity: 256)
        json.object { json in
            json.member("time", clock.now())
            json.member("level", event.level.rawValue)
            json.member("message", event.message.description)
            if let error = event.error { json.member("error", "\(error)") }
            for (name, value) in all.sorted(by: { $0.key < $1.key })
            where !Self.reserved.contains(name) {
                json.member(name, value.description)
            }
        }
        var line = isJournaled ? JournalStream.prefix(event.level) + json.bytes : json.bytes
        line.append(UInt8(ascii: "\n"))
        write(line)
    }

    private static let reserved: Set<String> = ["time", "level", "message", "error"]

    private static let lock = Mutex(())

    /// A line is written whole, whoever else writes.
    private static let print: @Sendable ([UInt8]) -> Void = { line in
        lock.withLock { _ in
            var rest = line[...]
            while !rest.isEmpty {
                let count = rest.withUnsafeBytes { Glibc.write(1, $0.baseAddress, $0.count) }
                // Nobody reads any more: there is no place left to say so.
                guard count > 0 else { return }
                rest = rest.dropFirst(count)
            }
        }
    }
}
