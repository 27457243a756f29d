import Logging
import Synchronization

/// The least level that the log takes, which a reload changes under every logger that is in use.
final class LogThreshold: Sendable {
    /// There is one standard output, so there is one threshold for it.
    static let shared = LogThreshold(.info)

    private static let levels = Logger.Level.allCases
    private let index: Atomic<Int>

    init(_ level: Logger.Level) { index = Atomic(Self.index(of: level)) }

    var level: Logger.Level { Self.levels[index.load(ordering: .relaxed)] }

    func set(_ level: Logger.Level) { index.store(Self.index(of: level), ordering: .relaxed) }

    private static func index(of level: Logger.Level) -> Int { levels.firstIndex(of: level) ?? 0 }
}
