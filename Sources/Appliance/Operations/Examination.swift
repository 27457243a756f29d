import CLinux
import Domain
import Glibc
import Store

/// What is wrong with an installation. Reads only; works beside a running daemon.
struct Examination {
    struct Finding {
        enum Severity: String {
            /// Worth knowing; nothing has to be done.
            case note
            case fault
            /// Of the store.
            case damage
        }

        let severity: Severity
        let what: String
        let remedy: String
    }

    private(set) var findings: [Finding] = []
    private let configuration: Configuration
    private let now: Timestamp
    private var directory: String { configuration.dataDirectory }

    /// A store that grows by a day's work, and the log of a crash.
    private static let freeBytesMin: Int64 = 256 << 20
    /// Ten times what starts a checkpoint (sqlite.md 11).
    private static let walBytesMax: Int64 = 40 << 20
    /// A night may fail for a reason that is over by the next.
    private static let backupAgeMax: Duration = .seconds(2 * 86_400)
    /// 2026-01-01: before this program was.
    private static let clockMin = Timestamp(milliseconds: 1_767_225_600_000)
    /// What a clock may be set back by when it is corrected.
    private static let clockSkewMax: Duration = .seconds(60)

    init(_ configuration: Configuration, at now: Timestamp) throws {
        self.configuration = configuration
        self.now = now
        for finding in TLSFindings(configuration, at: now).all {
            add(finding.what, finding.remedy)
        }
        guard !configuration.isOnPostgres else {
            try checkServer()
            return
        }
        guard SafeFile.exists(configuration.storeFile) else {
            add("There is no store at \(configuration.storeFile).", "Run: gatehouse serve")
            return
        }
        checkModes()
        checkFiles()
        checkDisk()
        let inspection = try SQLiteInspection(file: configuration.storeFile)
        if inspection.schemaVersion < SQLiteSchema.current {
            add("The store's schema is older than this program.", "Run: gatehouse migrate")
        }
        try checkClock(inspection)
        try checkBackups(inspection)
        for damage in try inspection.damage() {
            add("The store is damaged: \(damage)", "Stop the daemon and restore a backup.", .damage)
        }
    }

    private mutating func add(
        _ what: String, _ remedy: String, _ severity: Finding.Severity = .fault
    ) {
        findings.append(Finding(severity: severity, what: what, remedy: remedy))
    }

    // MARK: Files

    private mutating func checkModes() {
        let store = configuration.storeFile
        let backups = configuration.backupDirectory
        checkSecrets()
        var secrets = [store, store + "-wal", store + "-shm"]
        secrets += BackupFolder(backups).names().map { "\(backups)/\($0)" }
        if let key = configuration.backup.keyFile { secrets.append(key) }
        for path in secrets { checkMode(path, remedy: "600") }
        for path in [directory, "\(directory)/mailbox", backups] {
            checkMode(path, remedy: "700")
        }
    }

    /// The files that an installation has whatever its store is.
    private mutating func checkSecrets() {
        for name in [
            "counters", "signing-keys.json", "sealing-keys.json", "setup-token", "control.sock",
        ] {
            checkMode("\(directory)/\(name)", remedy: "600")
        }
        let given = [
            configuration.auth.sealingKeysFile, configuration.store.passwordFile,
            configuration.redis.passwordFile,
        ]
        for path in given {
            if let path { checkGiven(path) }
        }
    }

    /// A secret that somebody else puts there, as a file of root's that our group may read.
    private mutating func checkGiven(_ path: String) {
        var about = stat()
        guard stat(path, &about) == 0, about.st_mode & 0o007 != 0 else { return }
        add("\(path) can be read by everybody.", "Run: chmod o= \(path)")
    }

    private mutating func checkMode(_ path: String, remedy mode: String) {
        var about = stat()
        guard stat(path, &about) == 0 else { return }
        if about.st_mode & 0o077 != 0 {
            add("\(path) can be read by others.", "Run: chmod \(mode) \(path)")
        }
        var folder = stat()
        if stat(directory, &folder) == 0, folder.st_uid != about.st_uid {
            add(
                "\(path) has another owner than the data directory.",
                "Run: chown --reference=\(directory) \(path)")
        }
    }

    /// What Gatehouse puts into its data directory, or is told to read there.
    private static let ownNames: Set<String> = [
        "counters", "signing-keys.json", "sealing-keys.json", "setup-token", "control.sock",
        "mailbox", "backups", "gatehouse.yaml", "restoring",
    ]
    /// What a killed process leaves; the next one of its kind removes it.
    private static let abandoned: Set<String> = ["backup.partial", "drill.partial"]

    private mutating func checkFiles() {
        let isRunning =
            ControlClient(path: ControlListener.path(in: directory)).get("/control/backups") != nil
        for name in (Folder.names(in: directory) ?? []).sorted() {
            let path = "\(directory)/\(name)"
            if name.hasPrefix("counters.damaged") {
                add(
                    "A damaged counter file was set aside: \(path).",
                    "Its counts of the last second are lost. Look at the disk; then delete it.")
            } else if name.hasPrefix("replaced-") {
                add(
                    "What a restore replaced is still there: \(path).",
                    "Delete it when you are sure that you do not want it back.", .note)
            } else if Self.abandoned.contains(name) {
                guard !isRunning else { continue }
                add("A process that was killed left \(path).", "Run: rm -r \(path)", .note)
            } else if !isOwn(name) {
                add(
                    "\(path) is not known to Gatehouse.",
                    "Keep it elsewhere: a backup leaves it out.", .note)
            }
        }
    }

    private func isOwn(_ name: String) -> Bool {
        let path = "\(directory)/\(name)"
        return Self.ownNames.contains(name) || path.hasPrefix(configuration.storeFile)
            || configuration.backupDirectory.hasPrefix(path)
            || [configuration.backup.keyFile, configuration.sealingKeysFile].contains(path)
    }

    private mutating func checkDisk() {
        let free = gatehouse_free_bytes(directory)
        let store = DiskRoom.bytes(ofStore: configuration.storeFile)
        if free >= 0, free < Self.freeBytesMin {
            add("Less than 256 MiB are free where the store is.", "Free space on that disk.")
        } else if free >= 0, configuration.backup.at != nil, free < 3 * store {
            add(
                "\(DiskRoom.text(free)) are free where the store is, and a nightly backup wants "
                    + "\(DiskRoom.text(3 * store)).",
                "Free space there, or let backup.keep_* keep fewer.")
        }
        let log = SafeFile.size(configuration.storeFile + "-wal")
        if log > Self.walBytesMax {
            add(
                "The write-ahead log has \(DiskRoom.text(log)).",
                "Something reads the store for a long time: end it. A start cuts the log back.")
        }
    }

    // MARK: The store

    /// What is in it is its own tools' to look over.
    private mutating func checkServer() throws {
        checkSecrets()
        do throws(StoreRefusal) {
            let version = try PostgresStore.schemaVersion(
                url: configuration.store.url, passwordFile: configuration.store.passwordFile)
            if version == 0 {
                add("There is no store in the database.", "Run: gatehouse serve")
            } else if version < SQLiteSchema.current {
                add("The store's schema is older than this program.", "Run: gatehouse migrate")
            }
        } catch {
            add("\(error)", "Look at store.url, and whether the server runs and lets this user in.")
        }
    }

    private mutating func checkClock(_ inspection: SQLiteInspection) throws {
        if now < Self.clockMin {
            add("The machine's clock is before 2026.", "Set it; tokens and quotas depend on it.")
        }
        guard let newest = try inspection.newestAuditRow(), newest - now > Self.clockSkewMax else {
            return
        }
        add(
            "The newest row of the audit log is of \(newest), and the machine's clock says \(now).",
            "Set the clock; tokens and quotas depend on it.")
    }

    private mutating func checkBackups(_ inspection: SQLiteInspection) throws {
        if let path = configuration.backup.keyFile {
            do throws(BackupFailure) {
                _ = try BackupKey(file: path)
            } catch {
                add("Backups cannot be encrypted. \(error)", "Put the key there, or name another.")
            }
        }
        checkAge(try inspection.installation(Appliance.BackupSlot.backup).flatMap { Timestamp($0) })
        let drills = DrillLog.read(try inspection.installation(DrillLog.name))
        guard configuration.backup.drillAt != nil, let last = drills.first else { return }
        if let failure = last.failure {
            add(
                "The last drill, of \(last.name), failed: \(failure)",
                "Make another backup: gatehouse backup. Then: gatehouse drill")
        } else if now - last.at > Self.backupAgeMax {
            add("The last drill was at \(last.at).", "Look into the log for why; gatehouse drill.")
        }
    }

    /// - Parameter since: when a nightly backup was last due and made; nil before the first start.
    private mutating func checkAge(_ since: Timestamp?) {
        guard configuration.backup.at != nil else {
            add(
                "No backup is made by night: backup.at is empty.",
                "Make them yourself, from cron, or set backup.at.", .note)
            return
        }
        let folder = configuration.backupDirectory
        let newest = BackupCheck.newest(in: folder)
            .flatMap { path in path.split(separator: "/").last.map(String.init) }
            .flatMap { BackupFolder(folder).entry($0, key: nil)?.createdAt }
        guard let last = [newest, since].compactMap(\.self).max(), now - last > Self.backupAgeMax
        else { return }
        add(
            newest.map { "The newest backup in \(folder) is of \($0)." }
                ?? "There is no backup in \(folder).",
            "Look into the log for why; gatehouse backup makes one now.")
    }
}
