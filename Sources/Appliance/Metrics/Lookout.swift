import CLinux
import Domain
import NIOPosix
import Store
import Synchronization

/// What only the store and the disk can tell. Looked up when somebody asks, at most once per
/// `freshness`, by one task. Who asks waits no longer than `patience`: a store or a disk that is
/// stuck does not keep the other measurements from being read.
final class Lookout: Sendable {
    /// What was found. Nil: it did not answer.
    struct Facts: Sendable {
        var store: Records?
        var disk: Files?
        /// Nil before it was known once.
        var usage: Usage?
    }

    /// What takes a walk over all counters of a month: up to some seconds where there are millions
    /// of them, so it is up to `usageFreshness` old and no scrape waits for it.
    struct Usage: Sendable {
        let activeToday: Int64
        let activeMonth: Int64
        let byPlan: [UsageCounters.OfPlan]
    }

    struct Records: Sendable {
        let users: Accounts.Counts
        let jobs: [Jobs.Count]
        let drill: DrillResult?
    }

    struct Files: Sendable {
        let storeBytes: Int64
        let walBytes: Int64
        /// Nil when the system does not tell.
        let freeBytes: Int64?
        let backups: [BackupName]
    }

    private static let freshness: Duration = .seconds(5)
    private static let patience: Duration = .seconds(2)
    private static let usageFreshness: Duration = .seconds(300)

    private let appliance: Appliance
    private let asked = Wake()
    private let looked = Wake()
    private let known = Mutex<(facts: Facts, at: ContinuousClock.Instant)?>(nil)

    private let usageAsked = Wake()
    private let usage = Mutex<(usage: Usage?, at: ContinuousClock.Instant)?>(nil)

    init(_ appliance: Appliance) { self.appliance = appliance }

    /// Nothing of what did not come in time.
    func facts() async -> Facts {
        usageAsked.set()
        var facts = await freshFacts()
        facts.usage = usage.withLock { $0?.usage }
        return facts
    }

    private func freshFacts() async -> Facts {
        if let fresh { return fresh }
        asked.set()
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                while self.fresh == nil, !Task.isCancelled { await self.looked.wait() }
            }
            group.addTask { try? await Task.sleep(for: Self.patience) }
            await group.next()
            group.cancelAll()
        }
        return fresh ?? Facts()
    }

    private var fresh: Facts? {
        known.withLock { known in
            known.flatMap { ContinuousClock.now - $0.at < Self.freshness ? $0.facts : nil }
        }
    }

    /// Looks whenever somebody asks, until it is cancelled.
    func serve() async {
        while !Task.isCancelled {
            await asked.wait()
            guard !Task.isCancelled, fresh == nil else { continue }
            let facts = Facts(store: await records(), disk: await files())
            known.withLock { $0 = (facts, ContinuousClock.now) }
            looked.set()
        }
    }

    /// The same for what takes longer.
    func serveUsage() async {
        while !Task.isCancelled {
            await usageAsked.wait()
            let isFresh = usage.withLock { usage in
                usage.map { ContinuousClock.now - $0.at < Self.usageFreshness } ?? false
            }
            guard !Task.isCancelled, !isFresh else { continue }
            let found = await usageFound()
            // A walk that took too long is not begun again with the next scrape.
            usage.withLock { $0 = (found ?? $0?.usage, ContinuousClock.now) }
        }
    }

    private func usageFound() async -> Usage? {
        let now = appliance.clock.now()
        func day(_ moment: Timestamp) -> String { Window.day.period(Window.day.index(of: moment)) }
        let month = Window.month.period(Window.month.index(of: now))
        let (today, first) = (day(now), day(now - .seconds(29 * 86_400)))
        return try? await appliance.store.read { db throws(Problem) in
            Usage(
                activeToday: try db.usage.activeUsers(from: today),
                activeMonth: try db.usage.activeUsers(from: first),
                byPlan: try db.usage.byPlan(
                    window: .month, period: month, limit: Self.usageSeriesMax))
        }
    }

    /// Series of usage: anybody with a key may name a metric.
    private static let usageSeriesMax = 200

    private func records() async -> Records? {
        try? await appliance.store.read { db throws(Problem) in
            Records(
                users: try db.accounts.counts(), jobs: try db.jobs.counts(),
                drill: DrillLog.read(try db.installation.value(DrillLog.name)).first)
        }
    }

    private func files() async -> Files? {
        let (configuration, folder) = (appliance.configuration, appliance.backupFolder)
        return try? await NIOThreadPool.singleton.runIfActive {
            let free = Int64(gatehouse_free_bytes(configuration.dataDirectory))
            return Files(
                storeBytes: SafeFile.size(configuration.storeFile),
                walBytes: SafeFile.size(configuration.storeFile + "-wal"),
                freeBytes: free < 0 ? nil : free,
                backups: folder.names().compactMap { BackupName($0) })
        }
    }
}
