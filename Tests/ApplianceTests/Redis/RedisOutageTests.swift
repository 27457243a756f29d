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
                let lost = rig.put("BLPOP", "nothing", "0")
                await server.kill()
                for await result in lost { #expect(result.isAway) }
                try await rig.isAway()
                for await result in rig.put("PING") { #expect(result.isAway) }
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
            try await RedisRig.run(server.url, timeout: .seconds(1)) { rig async throws in
                let former = try await rig.server()
                server.pause()
                let begun = ContinuousClock.now
                #expect(await rig.failure("PING") == .away("no answer in time"))
                let took = ContinuousClock.now - begun
                #expect(took >= .seconds(1) && took < .seconds(10), "\(took)")
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
                server.pause()
                try await rig.isAway()
                server.resume()
                try await rig.server()
            }
        }
    }

    @Test("what does not fit in the queue is refused at once, and the rest is told of the end")
    func bounded() async throws {
        try await RedisServer.run { server async throws in
            try await RedisRig.run(server.url) { rig async throws in
                server.pause()
                let most = RedisLink.commandsMax
                let told = Mutex<[RedisFailure]>([])
                for _ in 0..<most + 100 {
                    rig.client.send(RedisCommand("PING")) { result in
                        guard case .failure(let failure) = result else { return }
                        told.withLock { $0.append(failure) }
                    }
                }
                let refused = told.withLock { $0 }
                // A sign of life that the client asks for by itself may have a place too.
                #expect(refused.count == 100 || refused.count == 101)
                #expect(refused.allSatisfy { $0 == .away("queue full") })
                await server.kill()
                try await rig.until("all told") {
                    told.withLock { $0.count } == most + 100 ? true : nil
                }
                #expect(rig.client.unanswered == 0)
            }
        }
    }

    @Test("a server that has become a replica is left, and not used while it is one")
    func replica() async throws {
        try await RedisServer.run { server async throws in
            try await RedisRig.run(server.url) { rig async throws in
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
