import Glibc

/// Listening sockets that a service manager opened before it started the daemon: the protocol of
/// sd_listen_fds(3). They are descriptors 3, 4, …; `LISTEN_FDS` says how many, `LISTEN_PID` for
/// whom, `LISTEN_FDNAMES` what each is for.
package struct InheritedSockets: Sendable {
    package struct Failure: Error, Equatable {
        package let reason: String
    }

    package struct Socket: Sendable, Equatable {
        let descriptor: Int32
        let name: String
    }

    /// Sockets for the API; systemd names one after its unit unless `FileDescriptorName=` says
    /// otherwise, so any name will do that has no meaning of its own.
    package let api: [Int32]
    /// Those with a meaning of their own, by name.
    package let named: [String: [Int32]]

    private static let first: Int32 = 3
    private static let countMax: Int32 = 64
    /// A socket with `FileDescriptorName=metrics` is for measurements alone.
    private static let meanings: Set<String> = ["metrics"]

    package static let none = InheritedSockets([])

    package init(_ sockets: [Socket]) {
        api = sockets.filter { !Self.meanings.contains($0.name) }.map(\.descriptor)
        named = Dictionary(grouping: sockets.filter { Self.meanings.contains($0.name) }, by: \.name)
            .mapValues { $0.map(\.descriptor) }
    }

    /// None when the variables are for another process.
    package static func take(
        environment: [String: String], process: pid_t
    ) throws(Failure) -> InheritedSockets {
        guard let text = environment["LISTEN_FDS"], environment["LISTEN_PID"] == String(process)
        else { return .none }
        guard let count = Int32(text), (0...countMax).contains(count) else {
            throw Failure(reason: "LISTEN_FDS: expected a number up to \(countMax), found \(text)")
        }
        let names = (environment["LISTEN_FDNAMES"] ?? "")
            .split(separator: ":", omittingEmptySubsequences: false).map { String($0) }
        var sockets: [Socket] = []
        for index in 0..<count {
            let descriptor = first + index
            guard option(SO_ACCEPTCONN, of: descriptor) == 1,
                option(SO_TYPE, of: descriptor) == Int32(SOCK_STREAM.rawValue)
            else {
                throw Failure(
                    reason: "LISTEN_FDS: descriptor \(descriptor) is no listening stream socket")
            }
            // Not for our children.
            _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
            let name = Int(index) < names.count ? names[Int(index)] : ""
            sockets.append(Socket(descriptor: descriptor, name: name))
        }
        return InheritedSockets(sockets)
    }

    package static func forgetEnvironment() {
        for name in ["LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"] { unsetenv(name) }
    }

    private static func option(_ name: Int32, of descriptor: Int32) -> Int32? {
        var value: Int32 = 0
        var bytes = socklen_t(MemoryLayout<Int32>.size)
        guard getsockopt(descriptor, SOL_SOCKET, name, &value, &bytes) == 0 else { return nil }
        return value
    }

    /// Where the first of the API's sockets listens; nil for a Unix socket, and for none.
    package var address: ListenAddress? {
        guard let descriptor = api.first else { return nil }
        var storage = sockaddr_storage()
        var bytes = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address -> ListenAddress? in
                guard getsockname(descriptor, address, &bytes) == 0 else { return nil }
                let family = Int32(address.pointee.sa_family)
                guard family == AF_INET || family == AF_INET6 else { return nil }
                var host = [CChar](repeating: 0, count: Int(NI_MAXHOST))
                var port = [CChar](repeating: 0, count: Int(NI_MAXSERV))
                let isNamed = getnameinfo(
                    address, bytes, &host, socklen_t(host.count), &port, socklen_t(port.count),
                    NI_NUMERICHOST | NI_NUMERICSERV)
                guard isNamed == 0, let number = Int(Self.text(port)) else { return nil }
                return ListenAddress(host: Self.text(host), port: number)
            }
        }
    }

    private static func text(_ characters: [CChar]) -> String {
        String(decoding: characters.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
