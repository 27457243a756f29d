import Glibc
import Support
import Synchronization

@testable import Appliance
@testable import Store

/// A Redis server of one test: a real one, on a free port of the loopback address, with its files
/// in a temporary folder. It does not outlive the test process, however that ends.
final class RedisServer: Sendable {
    private struct State {
        var process: pid_t?
        var starting: CheckedContinuation<Bool, Never>?
        var ending: [CheckedContinuation<Void, Never>] = []
        var said = ""
    }

    let folder: TemporaryFolder
    let port: Int
    private let arguments: [String]
    private let state = Mutex(State())

    var url: String { "redis://127.0.0.1:\(port)" }
    var socket: String { "\(folder.path)/redis.sock" }

    /// Starts one and ends it after `body`.
    ///
    /// - Parameter arguments: of redis-server, such as `--requirepass`.
    static func run(
        _ arguments: [String] = [], _ body: (RedisServer) async throws -> Void
    ) async throws {
        let server = try await started(arguments)
        do {
            try await body(server)
        } catch {
            await server.kill()
            throw error
        }
        await server.kill()
    }

    /// Another process may take the port between our look at it and the server's.
    private static func started(_ arguments: [String]) async throws -> RedisServer {
        for _ in 0..<2 {
            let server = try RedisServer(arguments)
            do {
                try await server.start()
                return server
            } catch {}
        }
        let server = try RedisServer(arguments)
        try await server.start()
        return server
    }

    private init(_ arguments: [String]) throws {
        folder = try TemporaryFolder()
        port = try Self.freePort()
        self.arguments = arguments
    }

    /// Also after `stop` or `kill`: on the same port, as another process. Nothing is kept on the
    /// disk unless an argument says so.
    func start() async throws {
        let isReady = await withCheckedContinuation { continuation in
            state.withLock { $0.starting = continuation }
            // The kernel ends the child when the thread that began it ends: this one waits for it.
            let thread = WorkThread(name: "redis-server") { self.live() }
            if thread == nil { answerStart(false) }
        }
        guard isReady else {
            throw TemporaryFolder.Failure(
                what: "redis-server did not start; tools/system-packages test installs it: "
                    + state.withLock { $0.said })
        }
    }

    /// Lets it end in the ordinary way.
    func stop() async { await end(SIGTERM) }

    /// As a crash does.
    func kill() async { await end(SIGKILL) }

    /// Takes what is sent and answers nothing, like a machine that is gone; connections stay.
    func pause() { signal(SIGSTOP) }

    func resume() { signal(SIGCONT) }

    private func end(_ number: Int32) async {
        await withCheckedContinuation { continuation in
            let isOver = state.withLock { state in
                guard let process = state.process else { return true }
                state.ending.append(continuation)
                Glibc.kill(process, number)
                return false
            }
            if isOver { continuation.resume() }
        }
    }

    private func signal(_ number: Int32) {
        state.withLock { state in
            if let process = state.process { Glibc.kill(process, number) }
        }
    }

    private func answerStart(_ isReady: Bool) {
        let starting = state.withLock { state in
            defer { state.starting = nil }
            return state.starting
        }
        starting?.resume(returning: isReady)
    }

    // MARK: The child

    /// From its start to its end.
    private func live() {
        // No other child may have an end of it: it would look as if this one went on.
        var ends: [Int32] = [-1, -1]
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, kind, 0, &ends) == 0 else { return answerStart(false) }
        let process = spawn(output: ends[1])
        close(ends[1])
        defer { close(ends[0]) }
        guard let process else { return answerStart(false) }
        state.withLock { $0.process = process }
        listen(to: ends[0])
        // It has closed its output, so it is at its end. Nobody sends a signal to who is not there.
        let ending = state.withLock { state in
            waitpid(process, nil, 0)
            defer { (state.process, state.ending) = (nil, []) }
            return state.ending
        }
        answerStart(false)
        for continuation in ending { continuation.resume() }
    }

    private func listen(to output: Int32) {
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = read(output, &buffer, buffer.count)
            guard count > 0 else { return }
            let isReady = state.withLock { state in
                state.said += String(decoding: buffer.prefix(count), as: UTF8.self)
                guard state.said.contains("Ready to accept connections") else { return false }
                state.said = ""
                return true
            }
            if isReady { answerStart(true) }
        }
    }

    private func spawn(output: Int32) -> pid_t? {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, output, 1)
        posix_spawn_file_actions_adddup2(&actions, output, 2)
        // Our threads block signals, and a child begins with what its parent blocks.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        let words =
            [
                "setpriv", "--pdeathsig", "KILL", "redis-server", "--port", "\(port)",
                "--bind", "127.0.0.1", "--unixsocket", socket, "--dir", folder.path, "--save", "",
                "--appendonly", "no",
            ] + arguments
        var pointers = words.map { strdup($0) } + [nil]
        defer { for pointer in pointers { free(pointer) } }
        var process = pid_t()
        let code = posix_spawnp(&process, "setpriv", &actions, &attributes, &pointers, environ)
        return code == 0 ? process : nil
    }

    private static func freePort() throws -> Int {
        let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(socket) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr = in_addr(s_addr: UInt32(0x7F00_0001).bigEndian)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(socket, $0, length) == 0 && getsockname(socket, $0, &length) == 0
            }
        }
        guard isBound else { throw TemporaryFolder.Failure(what: "no free port") }
        return Int(UInt16(bigEndian: address.sin_port))
    }
}
