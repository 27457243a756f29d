import Domain
import Logging
import ServiceLifecycle
import Store

/// Keeps a node in step with the Redis that it shares: its clock, its epoch, and what it owes.
struct SharedWatch: Service {
    /// How soon a server that has come, or another one, is noticed: until then the answer is 503.
    private static let pause: Duration = .milliseconds(50)
    private static let clockPause: Duration = .seconds(1)
    /// A longer round trip says little of the time: the former measurement stays.
    private static let roundTripMax: Duration = .milliseconds(200)
    /// Customers whose corrections are sent in one look.
    private static let owedMax = 256
    /// At the end: enough for all blocks of a node.
    private static let lastLooks = 16

    let appliance: Appliance
    let customers: SharedCustomers
    let registry: EpochRegistry

    func run() async throws {
        await cancelWhenGracefulShutdown {
            var measuredAt: ContinuousClock.Instant?
            while !Task.isCancelled {
                let isDue = measuredAt.map { ContinuousClock.now - $0 >= Self.clockPause } ?? true
                if isDue || isElsewhere || customers.epoch.takeDoubt() {
                    measuredAt = await measure() ? .now : nil
                }
                let isWell = await attend()
                let pause = isWell ? Self.pause : Self.clockPause
                do { try await Task.sleep(for: pause) } catch { break }
            }
        }
        customers.blocks.closeAll()
        customers.noteEndedBlocks()
        for _ in 0..<Self.lastLooks where customers.lines.isOwing { await settle() }
    }

    /// Connected with a server whose epoch this node is not in.
    private var isElsewhere: Bool {
        customers.redis.server.map { customers.epoch.name(on: $0) == nil } ?? false
    }

    /// What time it is, and which epoch. False when the server did not say.
    private func measure() async -> Bool {
        guard let server = customers.redis.server else { return false }
        do throws(RedisFailure) {
            let sent = ContinuousClock.now
            let reply = try await customers.redis.send(RedisCommand("TIME"), onlyOn: server)
            let roundTrip = ContinuousClock.now - sent
            guard let time = reply.time, let epoch = try await customers.memory.epoch(on: server)
            else { return false }
            if roundTrip <= Self.roundTripMax || isElsewhere {
                customers.clock.follow(time, roundTrip: roundTrip)
            }
            if customers.epoch.current.name != epoch { customers.begin(epoch, on: server) }
            return true
        } catch {
            return false
        }
    }

    /// False when the store could not be asked.
    private func attend() async -> Bool {
        guard let epoch = customers.redis.server.flatMap({ customers.epoch.name(on: $0) }) else {
            return true
        }
        do throws(Problem) {
            if case .begun = customers.epoch.current.stage {
                try await appliance.checkpoint()
                try await registry.reach(epoch)
                customers.epoch.advance(epoch, to: .reached)
            }
            if case .reached = customers.epoch.current.stage,
                try await registry.allHaveReached(epoch)
            {
                customers.epoch.advance(epoch, to: .open)
                customers.logger.info("Redis is in use", metadata: ["epoch": "\(epoch)"])
            }
        } catch {
            customers.logger.error(
                "counts of before cannot be saved, so Redis is not used yet",
                metadata: ["cause": "\(error.cause ?? error.detail)"])
            return false
        }
        customers.noteEndedBlocks()
        await settle()
        return true
    }

    /// Sends what is owed.
    private func settle() async {
        guard customers.redis.server != nil else { return }
        await withDiscardingTaskGroup { group in
            for user in customers.lines.owed(atMost: Self.owedMax) {
                group.addTask {
                    // What cannot be sent stays owed.
                    do throws(Problem) { try await customers.touch(user) } catch {}
                }
            }
        }
    }
}

/// What nodes tell each other of the epochs that they are in.
struct EpochRegistry: Sendable {
    /// Tells the others that the store has all that this node had counted before the epoch.
    let reach: @Sendable (_ epoch: String) async throws(Problem) -> Void
    /// Whether every live node has said so.
    let allHaveReached: @Sendable (_ epoch: String) async throws(Problem) -> Bool
}

extension SharedCustomers {
    /// Another memory counts from now on. What is of the one before is believed no more: first no
    /// count of it is journalled, then what is owed to it is forgotten, since the store has both by
    /// the time at which anybody is loaded.
    func begin(_ name: String, on server: String) {
        places.enter(name)
        lines.enter(name)
        tellRecovered(in: name)
        epoch.enter(name, on: server)
    }

    /// What a process of this node that was killed had counted, and the store has since a moment
    /// ago. Where another epoch has begun while the node was down, customers were loaded into it
    /// without these counts.
    func didRecover(_ deltas: [UsageDelta], countedIn epoch: String?) {
        recovered.withLock { $0 = Recovered(deltas: deltas, epoch: epoch) }
    }

    private func tellRecovered(in name: String) {
        let recovered = recovered.withLock { recovered in
            defer { recovered = nil }
            return recovered
        }
        guard let recovered, recovered.epoch != name else { return }
        for (user, deltas) in Dictionary(grouping: recovered.deltas, by: \.key.user) {
            let correction = Correction(.adds) { customer, now in
                for delta in deltas where delta.value > 0 {
                    let then = Window.hour.start(of: delta.key.hour)
                    customer.edit(delta.key.key) {
                        $0.add(delta.value, of: delta.key.metric, usedAt: then, at: now)
                    }
                }
            }
            if lines.owe(user, correction) == .full {
                logger.error("a shared state misses what a killed process had counted")
            }
        }
    }
}

extension RedisReply {
    /// The answer to TIME: seconds and microseconds.
    fileprivate var time: Timestamp? {
        guard case .array(let parts) = self, parts.count == 2,
            let seconds = parts[0].text.flatMap({ Int64($0) }),
            let microseconds = parts[1].text.flatMap({ Int64($0) })
        else { return nil }
        return Timestamp(milliseconds: seconds * 1000 + microseconds / 1000)
    }
}
