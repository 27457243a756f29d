import Domain
import Support
import Synchronization
import Testing

@testable import Appliance

@Suite("Redis client", .timeLimit(.minutes(2)))
struct RedisClientTests {
    @Test("many commands at once are answered each with its own answer")
    func pipelining() async throws {
        try await RedisServer.run { server async throws in
            try await RedisRig.run(server.url) { rig async throws in
                let counted = try await withThrowingTaskGroup(of: (Int64, Int64).self) { group in
                    for number in 0..<3000 as Range<Int64> {
                        group.addTask {
                            let echo = try await rig.send("ECHO", "\(number)")
                            #expect(echo.text == "\(number)")
                            guard case .integer(let count) = try await rig.send("INCR", "n") else {
                                throw TemporaryFolder.Failure(what: "no number")
                            }
                            return (number, count)
                        }
                    }
                    return try await group.reduce(into: Set<Int64>()) { $0.insert($1.1) }
                }
                #expect(counted == Set(1...3000))
                #expect(rig.client.unanswered == 0)
                #expect(rig.client.meter.commands.first { $0.outcome == "lost" }?.count == 0)
            }
        }
    }

    @Test("an error of the server is thrown with its words, and the next command is not touched")
    func refused() async throws {
        try await RedisServer.run { server async throws in
            try await RedisRig.run(server.url) { rig async throws in
                _ = try await rig.send("SET", "k", "text")
                async let wrong = rig.failure("INCR", "k")
                async let right = rig.send("GET", "k")
                guard case .refused(let words) = await wrong else {
                    Issue.record("not refused")
                    return
                }
                #expect(words == "ERR value is not an integer or out of range")
                let text = try await right
                #expect(text == .bytes(Array("text".utf8)))
            }
        }
    }

    @Test("the daemon is named, in the database of the URL")
    func greeting() async throws {
        try await RedisServer.run { server async throws in
            try await RedisRig.run(server.url + "/5") { rig async throws in
                let list = try await rig.send("CLIENT", "LIST").text ?? ""
                let own = list.split(separator: "\n").filter { $0.contains(" name=gatehouse ") }
                #expect(own.count { $0.contains(" db=5 ") } >= 1, "\(list)")
            }
            try await RedisRig.run("unix:" + server.socket) { rig async throws in
                #expect(try await rig.send("PING").text == "PONG")
            }
        }
    }

    @Test("with a password the client signs in; without the right one it stays away")
    func authentication() async throws {
        // The user that the manual names.
        let rights = ["~gatehouse:*", "&gatehouse:*", "+@all", "-@dangerous", "+info"]
        let arguments =
            ["--requirepass", "first-secret", "--user", "gate", "on", ">second-secret"] + rights
        try await RedisServer.run(arguments) { server async throws in
            let address = "127.0.0.1:\(server.port)"
            try await RedisRig.run(server.url, password: "first-secret") { rig async throws in
                #expect(try await rig.send("ACL", "WHOAMI").text == "default")
            }
            try await RedisRig.run("redis://gate:second-secret@\(address)") { rig async throws in
                #expect(try await rig.send("ACL", "WHOAMI").text == "gate")
            }
            for url in ["redis://gate:first-secret@\(address)", server.url] {
                try await RedisRig.run(url, waits: false) { rig async throws in
                    while rig.log.lines.isEmpty { try await Task.sleep(for: .milliseconds(2)) }
                    #expect(await rig.failure("PING") == .away("no connection"))
                    let line = rig.log.lines.joined(separator: "\n")
                    #expect(line.contains("WRONGPASS") || line.contains("NOAUTH"), "\(line)")
                    #expect(!line.contains("secret"), "\(line)")
                }
            }
        }
    }

    @Test("a script is sent whole only to a server that does not know it")
    func scripts() async throws {
        let script = RedisScript("return {KEYS[1], ARGV[1], redis.call('INCR', KEYS[1])}")
        try await RedisServer.run { server async throws in
            try await RedisRig.run(server.url) { rig async throws in
                let bytes: [UInt8] = [0, 255, 13, 10]
                for count in 1...3 as ClosedRange<Int64> {
                    let reply = try await rig.client.run(script, keys: ["k"], [bytes])
                    #expect(
                        reply
                            == .array([.bytes(Array("k".utf8)), .bytes(bytes), .integer(count)]))
                }
                let stats = try await rig.send("INFO", "commandstats").text ?? ""
                #expect(stats.contains("cmdstat_evalsha:calls=3,"), "\(stats)")
                #expect(stats.contains("cmdstat_eval:calls=1,"), "\(stats)")
                let former = try await rig.server()
                await server.stop()
                try await server.start()
                try await rig.server(after: former)
                let again = try await rig.client.run(script, keys: ["k"], [bytes])
                #expect(again == .array([.bytes(Array("k".utf8)), .bytes(bytes), .integer(1)]))
            }
        }
    }

    @Test("what was put before the end is answered; what comes after it is not sent")
    func gracefulEnd() async throws {
        try await RedisServer.run { server async throws in
            let answers = Mutex<[Bool]>([])
            let kept = Mutex<RedisClient?>(nil)
            try await RedisRig.run(server.url) { rig async throws in
                kept.withLock { $0 = rig.client }
                for _ in 0..<500 {
                    rig.client.send(RedisCommand("INCR", "n")) { result in
                        answers.withLock { $0.append((try? result.get()) != nil) }
                    }
                }
            }
            #expect(answers.withLock { $0 } == Array(repeating: true, count: 500))
            let client = try #require(kept.withLock { $0 })
            await #expect(throws: RedisFailure.self) { try await client.send(RedisCommand("PING")) }
        }
    }

    @Test("a server that may drop keys is told of once")
    func eviction() async throws {
        try await RedisServer.run(["--maxmemory-policy", "allkeys-lru"]) { server async throws in
            try await RedisRig.run(server.url) { rig async throws in
                let former = try await rig.server()
                await server.stop()
                try await server.start()
                try await rig.server(after: former)
                #expect(rig.log.lines.count { $0.contains("maxmemory_policy=allkeys-lru") } == 1)
            }
        }
    }
}
