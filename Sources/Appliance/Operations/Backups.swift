import CLinux
import Domain
import Logging
import Store
import Synchronization

/// What is asked of a backup, by a command or through the control socket.
struct BackupOrder: Sendable {
    /// A folder, or the file itself; nil: the configured folder. Absolute.
    var target: String?
    /// Nil: the configured one, or none. Absolute.
    var keyFile: String?
    /// For its name, when it is made before a migration.
    var beforeSchema: Int?

    init(target: String? = nil, keyFile: String? = nil) {
        self.target = target.map(Machine.absolute)
        self.keyFile = keyFile.map(Machine.absolute)
    }

    init(_ json: JSON) {
        if case .string(let path)? = json["target"] { target = path }
        if case .string(let path)? = json["key_file"] { keyFile = path }
    }

    var json: JSON {
        .object([
            JSON.Member("target", .text(target)), JSON.Member("key_file", .text(keyFile)),
        ])
    }

    /// Where the backup goes: a name that tells the time, unless a file was named.
    func path(_ configuration: Configuration, at now: Timestamp) throws(SafeFile.Failure) -> String
    {
        let name = BackupName(madeAt: now, beforeSchema: beforeSchema).description
        guard let target else {
            let folder = Machine.absolute(configuration.backupDirectory)
            try SafeFile.makeDirectory(folder)
            return "\(folder)/\(name)"
        }
        guard target.hasSuffix("/") || SafeFile.isDirectory(target) else { return target }
        return target + (target.hasSuffix("/") ? "" : "/") + name
    }

    func key(_ configuration: Configuration) throws(BackupFailure) -> BackupKey? {
        guard let path = keyFile ?? configuration.backup.keyFile else { return nil }
        return try BackupKey(file: path)
    }

    /// Refuses before anything is written: the copy of the store and the backup both take as much
    /// as the store.
    ///
    /// - Parameter spare: times the store's size that has to be free beside that.
    func requireRoom(
        _ configuration: Configuration, for path: String, spare: Int64 = 0,
        remedy: String = "", room: DiskRoom = DiskRoom()
    ) throws(BackupFailure) {
        let bytes = DiskRoom.bytes(ofStore: configuration.storeFile)
        let folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        try room.require(
            [
                DiskRoom.Need(configuration.dataDirectory, bytes * (1 + spare)),
                DiskRoom.Need(folder.isEmpty ? "/" : folder, bytes),
            ], for: "A backup", remedy: remedy)
    }
}

extension BackupKey {
    /// A key file may be anything of 32 bytes or more.
    private static let fileBytesMax = 65_536

    init(file path: String) throws(BackupFailure) {
        let bytes: [UInt8]
        do throws(SafeFile.Failure) {
            bytes = try SafeFile.read(path, bytesMax: Self.fileBytesMax)
        } catch {
            throw .key("The key: \(error.reason).")
        }
        guard let key = BackupKey(bytes) else {
            throw .key(
                "\(path) has fewer than 32 bytes. Make a key with: "
                    + "(umask 077; head -c 32 /dev/urandom > FILE)")
        }
        self = key
    }
}

/// A backup that was made.
struct BackupMade: Sendable {
    let path: String
    let bytes: Int64
    let manifest: BackupManifest

    var name: String { path.split(separator: "/").last.map(String.init) ?? path }

    /// What a command prints.
    var json: JSON {
        .object([
            JSON.Member("path", .string(path)),
            JSON.Member("bytes", .integer(bytes)),
            JSON.Member("created_at", .string(manifest.createdAt.description)),
            JSON.Member("encrypted", .bool(manifest.isEncrypted)),
            JSON.Member("schema", .integer(Int64(manifest.schema))),
            JSON.Member("rows", .integer(manifest.rows)),
        ])
    }

    /// Written where the backup's own store is not: it tells of it, it is not in it.
    func event(by actor: AuditEvent.Actor, from origin: Origin? = nil) -> AuditEvent {
        AuditEvent(
            action: "backup.made", actor: actor, target: "backup:\(name)",
            meta: .object([
                JSON.Member("bytes", .integer(bytes)),
                JSON.Member("encrypted", .bool(manifest.isEncrypted)),
            ]), requestID: origin?.requestID, address: origin?.address?.description)
    }
}

extension BackupMaking {
    init(_ configuration: Configuration, isStopped: Bool) {
        self.init(
            dataDirectory: configuration.dataDirectory, isStopped: isStopped,
            sealingKeys: configuration.sealingKeysFile, configuration: configuration.file,
            version: Gatehouse.version)
    }

    /// The work that blocks, and what came of it.
    func finish(
        _ order: BackupOrder, to path: String, _ configuration: Configuration, at now: Timestamp,
        progress: BackupFile.Stages = { _, _, _ in }
    ) throws -> BackupMade {
        let manifest = try finish(
            to: path, key: try order.key(configuration), at: now, progress: progress)
        return BackupMade(path: path, bytes: SafeFile.size(path), manifest: manifest)
    }
}

extension Appliance {
    /// Makes a backup while the store is served. Everything that was answered before this was
    /// called is in it, counts too.
    ///
    /// - Parameters:
    ///   - actor: on whose word, for the audit log.
    ///   - spare: times the store's size that has to be free beside what it takes.
    ///   - keep: what else is written with the audit row. The file has its name by then: killed in
    ///     between, there is a backup that the log does not tell of.
    func backUp(
        _ order: BackupOrder, by actor: AuditEvent.Actor, from origin: Origin? = nil,
        spare: Int64 = 0, at now: Timestamp,
        keeping keep: @escaping @Sendable (any Connection, BackupMade) throws(Problem) -> Void = {
            _, _ in
        }
    ) async throws(CommandRefusal) -> BackupMade {
        guard backupRun.begin() else {
            throw CommandRefusal(.inUse, "A backup is being made already; wait for it.")
        }
        defer { backupRun.end() }
        do {
            let made = try await copyAndPack(order, spare: spare, at: now)
            let event = made.event(by: actor, from: origin)
            try await store.write { db throws(Problem) in
                try db.audit.append(event, at: now)
                try keep(db, made)
            }
            logger.notice("backup made", metadata: ["file": "\(made.path)"])
            return made
        } catch {
            let refusal = CommandRefusal(error) ?? CommandRefusal(.failed, "\(error)")
            logger.error("backup failed", metadata: ["cause": "\(refusal.line)"])
            throw refusal
        }
    }

    private func copyAndPack(
        _ order: BackupOrder, spare: Int64, at now: Timestamp
    ) async throws -> BackupMade {
        try configuration.requireSQLite("backup")
        guard let store = engine as? SQLiteStore else {
            throw Problem.internal(cause: "only a SQLite store can be backed up")
        }
        let path = try order.path(configuration, at: now)
        try order.requireRoom(configuration, for: path, spare: spare)
        try await checkpoint()
        let making = BackupMaking(configuration, isStopped: false)
        defer { making.clear() }
        try making.prepare()
        let run = backupRun
        try await store.copy(to: making.copyPath) { run.report(.copying, $0, $1) }
        let configuration = configuration
        return try await blocking {
            try making.finish(order, to: path, configuration, at: now) { run.report($0, $1, $2) }
        }
    }

    /// Beside the gate and the writer it is nobody's hurry.
    private static let backupNiceness: Int32 = 19

    /// Work that waits for the disk or computes for long, on a thread of its own that steps back
    /// for others.
    func blocking<Value: Sendable>(
        _ body: @escaping @Sendable () throws -> Value
    ) async throws -> Value {
        let worker = try WorkerPool(name: "backup", threads: 1, queue: 1) {
            gatehouse_nice_thread(Self.backupNiceness)
        }
        defer { worker.close() }
        let outcome = await worker.run { () -> Result<Value, any Error>? in Result { try body() } }
        guard case .done(let result?) = outcome else {
            throw Problem.internal(cause: "the backup's thread did not run")
        }
        return try result.get()
    }

    /// Enters in the audit log what commands did while no daemon ran.
    func enterAuditNotes() async throws(Problem) {
        let actions = try await store.write { db throws(Problem) in try db.auditNotes.enter() }
        for action in actions {
            logger.notice("done while no daemon ran", metadata: ["action": "\(action)"])
        }
    }
}
