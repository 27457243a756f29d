import Domain
import Support
import Testing

@testable import Store

@Suite("Wake")
struct WakeTests {
    @Test("What was set before ends the next wait, and only that one")
    func latch() async {
        let wake = Wake()
        wake.set()
        wake.set()
        await wake.wait()
        await withTaskGroup(of: Bool.self) { group in
            group.addTask {
                await wake.wait()
                return Task.isCancelled
            }
            group.cancelAll()
            for await wasCancelled in group { #expect(wasCancelled) }
        }
    }

    @Test("Everybody who waits is woken, whenever it is set")
    func everybody() async {
        for _ in 0..<200 {
            let wake = Wake()
            await withDiscardingTaskGroup { group in
                group.addTask { await wake.wait() }
                group.addTask { wake.set() }
            }
        }
    }

    @Test("A wait that is cancelled ends, whenever it is cancelled")
    func cancelled() async {
        for _ in 0..<200 {
            let wake = Wake()
            await withDiscardingTaskGroup { group in
                group.addTask { await wake.wait() }
                group.cancelAll()
            }
        }
    }

    @Test("A commit that enqueues a job or retries one wakes who waits")
    func commits() async throws {
        try await withStore { db in
            let queue = JobQueue(db: db)
            try await queue.enqueue()
            await db.enqueued.wait()
            let dead = try #require(try await queue.claim().first)
            #expect(try await queue.fail(dead, next: nil))
            _ = try await queue.retry(dead.job.id, after: 1)
            await db.enqueued.wait()
        }
    }
}
