import Domain
import Glibc

/// Tells the service manager how the daemon is doing: the protocol of sd_notify(3), which is
/// datagrams of `NAME=value` lines to the Unix socket that `NOTIFY_SOCKET` names. Without one,
/// every call does nothing.
package struct ServiceNotifier: Sendable {
    private let address: sockaddr_un
    /// 0: there is nobody to tell.
    private let addressBytes: Int
    /// The service manager ends the daemon if it hears no sign of life for this long; nil: it does
    /// not wait for any.
    package let watchdogTimeout: Duration?

    /// - Parameter process: `WATCHDOG_PID` must name it, if it is there: a variable that was meant
    ///   for a parent is not for us.
    package init(environment: [String: String], process: pid_t) {
        (address, addressBytes) = Self.address(environment["NOTIFY_SOCKET"] ?? "")
        let isOurs = environment["WATCHDOG_PID"].map { $0 == String(process) } ?? true
        let microseconds = environment["WATCHDOG_USEC"].flatMap { Int64($0) } ?? 0
        watchdogTimeout =
            addressBytes > 0 && isOurs && microseconds > 0 ? .microseconds(microseconds) : nil
    }

    /// Takes the variables out of the environment, so that no child believes they are its own.
    package static func forgetEnvironment() {
        for name in ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"] { unsetenv(name) }
    }

    private static func address(_ path: String) -> (sockaddr_un, Int) {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        var bytes = Array(path.utf8)
        let room = MemoryLayout.size(ofValue: address.sun_path)
        guard bytes.first == UInt8(ascii: "/") || bytes.first == UInt8(ascii: "@"),
            bytes.count < room
        else { return (address, 0) }
        // An abstract name is written with @ and begins with a zero byte.
        if bytes[0] == UInt8(ascii: "@") { bytes[0] = 0 }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        return (address, MemoryLayout<sockaddr_un>.size - room + bytes.count)
    }

    // MARK: What there is to say

    /// Listening, and the store takes writes.
    package func ready(_ status: String) { send("READY=1", "STATUS=\(status)") }

    package func status(_ text: String) { send("STATUS=\(text)") }

    /// A reload begins; `ready` ends it.
    package func reloading() {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        let microseconds = Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000
        send("RELOADING=1", "MONOTONIC_USEC=\(microseconds)", "STATUS=Reloading")
    }

    /// - Parameter atMost: how long it can take; the service manager waits for that long.
    package func stopping(atMost: Duration) {
        let microseconds = atMost.wholeMilliseconds * 1000
        send("STOPPING=1", "STATUS=Draining", "EXTEND_TIMEOUT_USEC=\(microseconds)")
    }

    package func alive() { send("WATCHDOG=1") }

    /// One datagram. One that cannot be sent is let go: the service manager's own timeouts say so.
    private func send(_ lines: String...) {
        guard addressBytes > 0 else { return }
        let descriptor = socket(
            AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        let bytes = Array(lines.joined(separator: "\n").utf8)
        withUnsafePointer(to: address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = sendto(
                    descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL), $0,
                    socklen_t(addressBytes))
            }
        }
    }
}
