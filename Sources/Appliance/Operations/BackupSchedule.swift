import Domain
import Logging
import ServiceLifecycle
import Store

/// Makes the nightly backup and the nightly drill when they are due.
struct BackupSchedule: Service {
    let appliance: Appliance

    private static let interval: Duration = .seconds(60)
    /// A disk that is full is full for a while: a copy of the store each minute would help nobody.
    private static let pauseAfterFailure: Duration = .seconds(3600)

    func run() async throws {
        await cancelWhenGracefulShutdown {
            // A start has enough to do: a night that was missed waits a minute more.
            var wait = Self.interval
            while !Task.isCancelled {
                do { try await Task.sleep(for: wait) } catch { break }
                wait = await work() ? Self.interval : Self.pauseAfterFailure
            }
        }
    }

    /// False when something failed; the log has it by then.
    private func work() async -> Bool {
        do {
            _ = try await appliance.scheduledBackup(at: appliance.clock.now())
            _ = try await appliance.scheduledDrill(at: appliance.clock.now())
            return true
        } catch {
            let refusal = CommandRefusal(error) ?? CommandRefusal(.failed, "\(error)")
            appliance.logger.error(
                "the backup schedule failed", metadata: ["cause": "\(refusal.line)"])
            return false
        }
    }
}

extension Appliance {
    /// What the schedule was last kept up to, in the `installation` table.
    enum BackupSlot {
        static let backup = "backup_slot"
        static let drill = "drill_slot"
    }

    /// A nightly backup leaves at least the store's size free once more: the store has to go on
    /// growing, and its disk must not be full by morning of its own backups.
    private static let spareTimes: Int64 = 1

    /// Makes the backup of the last `backup.at` that has passed, unless it is there, and lets
    /// retention have its way. Whoever calls it, and however often: each night has one.
    ///
    /// - Returns: what was made; nil when nothing was due. A store's first call makes none: its
    ///   nights begin then.
    /// - Throws: `CommandRefusal`, `Problem`. It is due until it was made.
    func scheduledBackup(at now: Timestamp) async throws -> BackupMade? {
        guard let at = configuration.backup.at else { return nil }
        let slot = at.last(before: now)
        guard try await isDue(slot, BackupSlot.backup, at: now) else { return nil }
        let made = try await backUp(
            BackupOrder(), by: .system, spare: Self.spareTimes, at: now
        ) { db, _ throws(Problem) in
            try db.installation.set(BackupSlot.backup, slot.description)
        }
        _ = try await applyRetention(at: now)
        return made
    }

    private func isDue(
        _ slot: Timestamp, _ name: String, at now: Timestamp
    ) async throws(Problem) -> Bool {
        let last = try await store.read { db throws(Problem) in try db.installation.value(name) }
        if let last = last.flatMap({ Timestamp($0) }) { return last < slot }
        try await store.write { db throws(Problem) in
            try db.installation.set(name, now.description)
        }
        return false
    }

    /// Deletes the backups in `backup.directory` that `backup.keep_*` no longer keeps.
    ///
    /// - Returns: their names. None of a name that is not Gatehouse's own, and none that cannot be
    ///   relied on: not readable, sealed with another key, or refused by its last drill.
    func applyRetention(at now: Timestamp) async throws -> [String] {
        let configuration = configuration
        guard !configuration.backup.keep.keepsAll else { return [] }
        let drills = DrillLog.latest(try await drills())
        let folder = backupFolder
        let expired = try await blocking { () throws -> [BackupName] in
            let key = try BackupOrder().key(configuration)
            let good = folder.names().compactMap { name -> BackupName? in
                guard let own = BackupName(name), drills[name]?.failure == nil,
                    folder.entry(name, key: key)?.manifest != nil
                else { return nil }
                return own
            }
            return configuration.backup.keep.expired(good)
        }
        guard !expired.isEmpty else { return [] }
        // The log first: a file that is gone without a row would be worse than the other way round.
        try await store.write { db throws(Problem) in
            for name in expired {
                try db.audit.append(
                    AuditEvent(
                        action: "backup.deleted", actor: .system, target: "backup:\(name)"),
                    at: now)
            }
        }
        try await blocking { for name in expired { try folder.delete(name) } }
        return expired.map(\.description)
    }

    var backupFolder: BackupFolder {
        BackupFolder(Machine.absolute(configuration.backupDirectory))
    }

    /// Restores the newest backup into the data directory for trial, once for each `jobs.drill`,
    /// and keeps what became of it.
    ///
    /// - Returns: the result, a failed one too; nil when none was due or there is no backup.
    /// - Throws: when it could not be tried: no room, or the store fails.
    func scheduledDrill(at now: Timestamp) async throws -> DrillResult? {
        guard let at = configuration.backup.drillAt else { return nil }
        let slot = at.last(before: now)
        guard try await isDue(slot, BackupSlot.drill, at: now),
            let path = BackupCheck.newest(in: backupFolder.path)
        else { return nil }
        let (configuration, clock) = (configuration, clock)
        let result = try await blocking { try Self.drill(path, configuration, clock) }
        try await store.write { db throws(Problem) in
            try DrillLog.add(result, db)
            try db.installation.set(BackupSlot.drill, slot.description)
        }
        var metadata: Logger.Metadata = [
            "file": "\(path)", "milliseconds": "\(result.took.wholeMilliseconds)",
        ]
        if let failure = result.failure {
            metadata["cause"] = "\(failure)"
            logger.error("the drill failed", metadata: metadata)
        } else {
            logger.notice("the newest backup can be restored", metadata: metadata)
        }
        return result
    }

    private static func drill(
        _ path: String, _ configuration: Configuration, _ clock: WallClock
    ) throws -> DrillResult {
        let begin = clock.now()
        // Beside the store, which is in the clear there too, and on a disk that was chosen for it.
        let folder = Machine.absolute(configuration.dataDirectory) + "/drill.partial"
        Folder.removeTree(folder)
        defer { Folder.removeTree(folder) }
        let name = path.split(separator: "/").last.map(String.init) ?? path
        var failure: String?
        var madeAt = BackupName(name)?.madeAt
        do {
            let manifest = try Drill.run(path, key: BackupOrder().key(configuration), in: folder)
            madeAt = manifest.createdAt
        } catch let error as BackupFailure where error.isForWantOfRoom {
            throw error
        } catch {
            failure = (CommandRefusal(error) ?? CommandRefusal(.failed, "\(error)")).line
        }
        let end = clock.now()
        return DrillResult(
            at: begin, name: name, failure: failure, took: end - begin,
            age: begin - (madeAt ?? begin))
    }

    func drills() async throws(Problem) -> [DrillResult] {
        DrillLog.read(
            try await store.read { db throws(Problem) in
                try db.installation.value(DrillLog.name)
            })
    }
}
