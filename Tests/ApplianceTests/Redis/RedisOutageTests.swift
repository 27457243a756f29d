import Domain
import Support
import Synchronization
import Testing

@testable import Appliance

@Suite("Redis away", .timeLimit(.minutes(2)))
struct RedisOutageTests {
    @Test("a server that is killed fails what is in flight, and is found again with another id")
    func killed() async throws {
        try await RedisServer.run { server async throws in
            try await RedisRig.run(server.url) { rig async throws in
                let former = try await rig.server()
                // It answers only when something is there, which never is.
                async let lost = rig.failure("BLPOP", "nothing", "0")
                _ = try await rig.client.send(RedisCommand("PING"), onlyOn: former)
                await server.kill()
                #expect(await lost?.isAway == true)
                try await rig.isAway()
                #expect(await rig.failure("PING") == .away("no connection"))
                try await server.start()
                let next = try await rig.server(after: former)
                await #expect(throws: RedisFailure.otherServer) {
                    try await rig.client.send(RedisCommand("SET", "k", "v"), onlyOn: former)
                }
                #expect(
                    try await rig.client.send(RedisCommand("EXISTS", "k"), onlyOn: next)
                        == .integer(0))
            }
        }
    }

    @Test("a server that says nothing is given up on when a command's time is up")
    func commandTimeout() async throws {
        try await RedisServer.run { server async throws in
            try await RedisRig.run(server.url, timeout: .milliseconds(200)) { rig async throws in
                let former = try await rig.server()
                server.pause()
                let begun = ContinuousClock.now
                #expect(await rig.failure("PING") == .away("no answer in time"))
                let took = ContinuousClock.now - begun
                #expect(took >= .milliseconds(200) && took < .seconds(2), "\(took)")
                try await rig.isAway()
                server.resume()
                // The same process: what it keeps is still what it kept.
                _ = try await rig.client.send(RedisCommand("PING"), onlyOn: try await rig.server())
                #expect(rig.client.server == former)
            }
        }
    }

    @Test("an idle connection that leads nowhere is noticed after twice the timeout")
    func halfOpen() async throws {
        try await RedisServer.run { server async throws in
            try await RedisRig.run(server.url, timeout: .milliseconds(100)) { rig async throws in
                try await rig.server()
                server.pause()
                let begun = ContinuousClock.now
                try await rig.isAway()
                #expect(ContinuousClock.now - begun < .seconds(2))
                server.resume()
                try await rig.server()
                // A connection where nothing happens stays.
                let made = rig.client.meter.connectionsMade
                try await Task.sleep(for: .milliseconds(350))
                #expect(rig.client.meter.connectionsMade <= made + 1)
                #expect(try await rig.send("PING").text == "PONG")
            }
        }
    }

    @Test("what does not fit in the queue is refused at once, and the rest is told of the end")
    func bounded() async throws {
        try await RedisServer.run { server async throws in
            try await RedisRig.run(server.url, timeout: .seconds(1)) { rig async throws in
                server.pause()
                let failures = Mutex<[String: Int]>([:])
                let most = RedisLink.commandsMax
                await withTaskGroup(of: Void.self) { group in
                    for _ in 0..<most + 100 {
                        group.addTask {
                            let failure = await rig.failure("PING").map { "\($0)" } ?? "none"
                            failures.withLock { $0[failure, default: 0] += 1 }
                        }
                    }
                }
                let found = failures.withLock { $0 }
                #expect(found.values.reduce(0, +) == most + 100)
                #expect(found["queue full"] ?? 0 >= 100, "\(found)")
                #expect(found["none"] == nil, "\(found)")
                server.resume()
                try await rig.server()
                #expect(rig.client.unanswered == 0)
            }
        }
    }

    @Test("a server that has become a replica is left, and not used while it is one")
    func replica() async throws {
        try await RedisServer.run { server async throws in
            try await RedisRig.run(server.url, timeout: .milliseconds(200)) { rig async throws in
                _ = try await rig.send("REPLICAOF", "127.0.0.1", "1")
                let failure = await rig.failure("SET", "k", "v")
                #expect(failure.map { "\($0)" }?.hasPrefix("READONLY ") == true)
                try await rig.isAway()
            }
            try await RedisRig.run(server.url, waits: false) { rig async throws in
                while rig.log.lines.isEmpty { try await Task.sleep(for: .milliseconds(2)) }
                #expect(rig.log.lines.allSatisfy { $0.contains("the server is a replica") })
                #expect(rig.client.server == nil)
            }
        }
    }

    @Test("messages reach everybody who listens")
    func messages() async throws {
        try await RedisServer.run { server async throws in
            try await RedisRig.run(server.url) { rig async throws in
                let first = rig.client.messages(of: "news")
                let second = rig.client.messages(of: "news")
                for await message in first {
                    #expect(message.isEmpty)
                    break
                }
                try await rig.client.publish("news", [1, 2, 3])
                try await rig.client.publish("other", [4])
                for await message in first where !message.isEmpty {
                    #expect(message == [1, 2, 3])
                    break
                }
                for await message in second where !message.isEmpty {
                    #expect(message == [1, 2, 3])
                    break
                }
            }
        }
    }

    @Test("after each new connection an empty message says that some may have been missed")
    func missedMessages() async throws {
        try await RedisServer.run { server async throws in
            try await RedisRig.run(server.url) { rig async throws in
                var news = rig.client.messages(of: "news").makeAsyncIterator()
                #expect(await news.next() == [])
                let former = try await rig.server()
                await server.kill()
                try await server.start()
                #expect(await news.next() == [])
                try await rig.server(after: former)
                try await rig.client.publish("news", [5])
                #expect(await news.next() == [5])
            }
        }
    }
}
