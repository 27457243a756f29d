import Domain
import Logging
import Store

extension JobKind where Payload == NoPayload {
    static var backUp: JobKind { JobKind("back_up", .nightly) }
    static var drill: JobKind { JobKind("drill", .nightly) }
}

extension JobTerms {
    /// A disk that is full is full for a while, and a copy of the store each minute would help
    /// nobody: tried again after a quarter of an hour at the soonest and an hour at the latest, and
    /// dead after half a day, when the next night is near. Half a day is also what one try may
    /// take: a store of a terabyte at 25 MB/s.
    fileprivate static let nightly: JobTerms = {
        var terms = JobTerms()
        terms.attemptsMax = 24
        terms.backoff = Backoff(base: .seconds(900), cap: .seconds(3600))
        terms.timeout = .seconds(12 * 3600)
        return terms
    }()
}

/// The nightly backup and the nightly drill: what the jobs do, and what they can be sure of.
extension Appliance {
    private static let pauseAfterFailure: Duration = .seconds(900)

    var nightlyHandlers: [JobHandler] {
        [
            JobHandler(.backUp) { run throws(Problem) in
                try await self.byNight { _ = try await self.scheduledBackup(at: run.now) }
            },
            // One that fails in its result has been tried: that is kept, and the night is done.
            JobHandler(.drill) { run throws(Problem) in
                try await self.byNight { _ = try await self.scheduledDrill(at: run.now) }
            },
        ]
    }

    /// One at a time, since each wants room for another copy of the store: after days without the
    /// daemon both are due at once.
    private func byNight(_ work: () async throws -> Void) async throws(Problem) -> JobOutcome {
        try await nights.pass { () throws(Problem) in
            do {
                try await work()
                return .done
            } catch {
                let refusal = CommandRefusal(error) ?? CommandRefusal(.failed, "\(error)")
                var problem = Problem(.unavailable, refusal.line)
                problem.retryAfter = Self.pauseAfterFailure
                throw problem
            }
        }
    }

    /// The nights of a store that had none begin now.
    func beginNights(_ db: any Connection, at now: Timestamp) throws(Problem) {
        guard !configuration.isOnPostgres else { return }
        let backup = configuration.backup
        for (at, slot) in [(backup.at, BackupSlot.backup), (backup.drillAt, BackupSlot.drill)]
        where at != nil {
            guard try db.installation.value(slot) == nil else { continue }
            try db.installation.set(slot, now.description)
        }
    }

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
    /// - Returns: what was made; nil when nothing was due.
    /// - Throws: `CommandRefusal`, `Problem`. It is due until it was made.
    func scheduledBackup(at now: Timestamp) async throws -> BackupMade? {
        guard let at = configuration.backup.at else { return nil }
        let slot = at.last(before: now)
        guard try await isDue(slot, BackupSlot.backup) else { return nil }
        let made = try await backUp(
            BackupOrder(), by: .system, spare: Self.spareTimes, at: now
        ) { db, _ throws(Problem) in
            try db.installation.set(BackupSlot.backup, slot.description)
        }
        _ = try await applyRetention(at: now)
        return made
    }

    private func isDue(_ slot: Timestamp, _ name: String) async throws(Problem) -> Bool {
        let last = try await store.read { db throws(Problem) in try db.installation.value(name) }
        return last.flatMap { Timestamp($0) }.map { $0 < slot } ?? true
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
        guard try await isDue(slot, BackupSlot.drill),
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
            let manifest = try Drill.run(
                path, key: BackupOrder().key(configuration), in: folder, isPaced: true)
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
