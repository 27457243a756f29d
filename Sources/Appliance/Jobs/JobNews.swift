import Logging
import ServiceLifecycle
import Store

/// Tells the other daemons on this store that a commit has enqueued jobs, and hears it from them:
/// who has a free worker begins at once. Who is not told looks again by itself (`JobRunner`).
struct JobNews: Service {
    static let channel = "gatehouse:jobs"

    let redis: RedisClient
    /// Set by commits of this daemon.
    let committed: Wake
    /// What the runner of this daemon waits for.
    let enqueued: Wake
    let logger: Logger

    func run() async throws {
        await cancelWhenGracefulShutdown {
            await withDiscardingTaskGroup { group in
                group.addTask {
                    for await _ in redis.messages(of: Self.channel) { enqueued.set() }
                }
                group.addTask { await tell() }
            }
        }
    }

    private func tell() async {
        while true {
            await committed.wait()
            guard !Task.isCancelled else { return }
            do throws(RedisFailure) {
                try await redis.publish(Self.channel, [])
            } catch {
                logger.debug("jobs were not announced", metadata: ["cause": "\(error)"])
            }
        }
    }
}

extension Appliance {
    /// Nil for a daemon that is alone.
    var jobNews: JobNews? {
        guard let redis, let store = engine as? PostgresStore else { return nil }
        return JobNews(
            redis: redis, committed: store.enqueuedHere, enqueued: store.enqueued, logger: logger)
    }
}
