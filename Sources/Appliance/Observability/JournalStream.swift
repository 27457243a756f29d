import Glibc
import Logging

/// Whether what we write goes to journald: `JOURNAL_STREAM` has the device and inode of the stream
/// that systemd connected (systemd.exec(5)).
enum JournalStream {
    static func isBehind(_ descriptor: Int32, environment: [String: String]) -> Bool {
        let parts = (environment["JOURNAL_STREAM"] ?? "").split(separator: ":")
        var about = stat()
        guard parts.count == 2, fstat(descriptor, &about) == 0 else { return false }
        return UInt64(parts[0]) == UInt64(about.st_dev) && UInt64(parts[1]) == UInt64(about.st_ino)
    }

    /// What journald takes off the line and keeps as its priority (sd-daemon(3)): the message stays
    /// JSON, and `journalctl -p warning` works.
    static func prefix(_ level: Logger.Level) -> [UInt8] {
        let number =
            switch level {
            case .trace, .debug: 7
            case .info: 6
            case .notice: 5
            case .warning: 4
            case .error: 3
            case .critical: 2
            }
        return Array("<\(number)>".utf8)
    }
}
