import Glibc
import Synchronization

@testable import Store

/// Stands between a node and the server, and cuts the connection that commits.
final class CutProxy: Sendable {
    enum Cut: Sendable {
        /// The server never hears of the COMMIT.
        case before
        /// The server commits, and its answer is lost.
        case after
    }

    private struct State {
        var cut: Cut?
        /// After the cut nobody gets through any more.
        var isLast = false
        var isClosed = false
    }

    private let state = Mutex(State())
    private let listener: Int32
    private let serverPort: UInt16
    let port: UInt16
    private let threads = Mutex<[WorkThread?]>([])

    init(to serverPort: UInt16) throws {
        self.serverPort = serverPort
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = Self.address(port: 0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, length) == 0 && listen(listener, 16) == 0
                    && getsockname(listener, $0, &length) == 0
            }
        }
        guard isBound else { throw PostgresServer.Absent() }
        self.listener = listener
        port = UInt16(bigEndian: address.sin_port)
        let accepting = WorkThread(name: "cut-proxy") { [weak self] in
            while let self, self.acceptOne() {}
        }
        threads.withLock { $0.append(accepting) }
    }

    private static func address(port: UInt16) -> sockaddr_in {
        sockaddr_in(
            sin_family: sa_family_t(AF_INET), sin_port: port.bigEndian,
            sin_addr: in_addr(s_addr: UInt32(0x7F00_0001).bigEndian),
            sin_zero: (0, 0, 0, 0, 0, 0, 0, 0))
    }

    /// The next COMMIT is cut.
    func arm(_ cut: Cut, isLast: Bool = false) {
        state.withLock {
            $0.cut = cut
            $0.isLast = isLast
        }
    }

    /// Lets connections through again.
    func heal() { state.withLock { $0.isLast = false } }

    func close() {
        state.withLock { $0.isClosed = true }
        shutdown(listener, Int32(SHUT_RDWR))
        let all = threads.withLock { threads in
            defer { threads = [] }
            return threads
        }
        for thread in all { thread?.join() }
        Glibc.close(listener)
    }

    private var isClosed: Bool { state.withLock { $0.isClosed } }

    private func acceptOne() -> Bool {
        let client = accept(listener, nil, nil)
        guard client >= 0 else { return false }
        guard state.withLock({ $0.cut != nil || !$0.isLast }) else {
            Glibc.close(client)
            return true
        }
        let thread = WorkThread(name: "cut-proxy") { self.carry(client) }
        threads.withLock { $0.append(thread) }
        return true
    }

    private func carry(_ client: Int32) {
        defer { Glibc.close(client) }
        let server = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { Glibc.close(server) }
        var address = Self.address(port: serverPort)
        let isConnected = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(server, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        guard isConnected else { return }
        while !isClosed {
            var ends = [
                pollfd(fd: client, events: Int16(POLLIN), revents: 0),
                pollfd(fd: server, events: Int16(POLLIN), revents: 0),
            ]
            guard poll(&ends, 2, 50) >= 0 else { return }
            if ends[0].revents != 0 {
                guard let bytes = Self.take(client) else { return }
                switch cut(bytes) {
                case nil: Self.put(bytes, server)
                case .before?: return
                case .after?:
                    Self.put(bytes, server)
                    // What it answers, it answers after the commit.
                    _ = Self.take(server)
                    return
                }
            }
            if ends[1].revents != 0 {
                guard let bytes = Self.take(server) else { return }
                Self.put(bytes, client)
            }
        }
    }

    /// The cut, if these bytes have a COMMIT; it is used up by that.
    private func cut(_ bytes: [UInt8]) -> Cut? {
        // The whole text of a statement, as it is prepared: others say READ COMMITTED.
        guard String(decoding: bytes, as: UTF8.self).contains("COMMIT\u{0}") else { return nil }
        return state.withLock { state in
            defer { state.cut = nil }
            return state.cut
        }
    }

    private static func take(_ socket: Int32) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: 65_536)
        let count = recv(socket, &bytes, bytes.count, 0)
        return count > 0 ? Array(bytes.prefix(count)) : nil
    }

    private static func put(_ bytes: [UInt8], _ socket: Int32) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }
}
