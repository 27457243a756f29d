import Domain
import Logging
import Support

@testable import Appliance

/// A client of a real server, running as it does in the daemon.
struct RedisRig: Sendable {
    let client: RedisClient
    let log: LogRecord

    /// Runs `body` once the client is connected, unless told not to wait.
    ///
    /// - Parameter timeout: long, since a machine that compiles beside the tests takes its time; a
    ///   test that is about the timeout names a shorter one.
    static func run(
        _ url: String, password: String? = nil, timeout: Duration = .seconds(5),
        waits: Bool = true, _ body: (RedisRig) async throws -> Void
    ) async throws {
        let log = LogRecord()
        guard let url = RedisURL(url) else { throw TemporaryFolder.Failure(what: "no URL") }
        let options = try RedisOptions(url, password: password.map(Secret.init), timeout: timeout)
        let rig = RedisRig(client: RedisClient(options, logger: log.logger), log: log)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await rig.client.run() }
            defer { group.cancelAll() }
            if waits { _ = try await rig.server() }
            try await body(rig)
        }
    }

    /// The run id of the server that it is connected to; waits for one other than `former`.
    @discardableResult
    func server(after former: String? = nil) async throws -> String {
        try await until("connected; the log has \(log.lines)") {
            client.server.flatMap { $0 == former ? nil : $0 }
        }
    }

    func isAway() async throws { try await until("away") { client.server == nil ? true : nil } }

    /// Nothing announces these; a test that waits for ever fails here instead.
    @discardableResult
    func until<Value>(
        _ what: @autoclosure () -> String, _ look: () -> Value?
    ) async throws -> Value {
        let end = ContinuousClock.now + .seconds(20)
        while ContinuousClock.now < end {
            if let found = look() { return found }
            try await Task.sleep(for: .milliseconds(2))
        }
        throw TemporaryFolder.Failure(what: "not \(what()) in time")
    }

    func send(_ words: String...) async throws(RedisFailure) -> RedisReply {
        try await client.send(
            RedisCommand(words[0], words.dropFirst().map { Array($0.utf8) }))
    }

    /// Puts a command, which is on its way when this returns, and tells what became of it later.
    func put(_ words: String...) -> AsyncStream<Result<RedisReply, RedisFailure>> {
        let (stream, told) = AsyncStream.makeStream(of: Result<RedisReply, RedisFailure>.self)
        client.send(RedisCommand(words[0], words.dropFirst().map { Array($0.utf8) })) {
            told.yield($0)
            told.finish()
        }
        return stream
    }

    /// What becomes of a command that should fail.
    func failure(_ words: String...) async -> RedisFailure? {
        do throws(RedisFailure) {
            _ = try await client.send(
                RedisCommand(words[0], words.dropFirst().map { Array($0.utf8) }))
            return nil
        } catch {
            return error
        }
    }
}

extension Result<RedisReply, RedisFailure> {
    var isAway: Bool {
        guard case .failure(.away) = self else { return false }
        return true
    }
}
