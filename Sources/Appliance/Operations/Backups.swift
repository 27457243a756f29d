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

    init(target: String?, keyFile: String?) {
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
        let time = now.description.filter { $0 != "-" && $0 != ":" }
        let name = "gatehouse-\(time).ghb"
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

extension BackupMaking {
    init(_ configuration: Configuration, isStopped: Bool) {
        self.init(
            dataDirectory: configuration.dataDirectory, isStopped: isStopped,
            configuration: configuration.file, version: Gatehouse.version)
    }

    /// The work that blocks, and what is told of the result.
    func finish(
        _ order: BackupOrder, _ configuration: Configuration, at now: Timestamp
    ) throws -> JSON {
        let path = try order.path(configuration, at: now)
        let manifest = try finish(to: path, key: try order.key(configuration), at: now)
        return .object([
            JSON.Member("path", .string(path)),
            JSON.Member("bytes", .integer(SafeFile.size(path))),
            JSON.Member("created_at", .string(manifest.createdAt.description)),
            JSON.Member("encrypted", .bool(manifest.isEncrypted)),
            JSON.Member("schema", .integer(Int64(manifest.schema))),
            JSON.Member("rows", .integer(manifest.rows)),
        ])
    }
}

extension Appliance {
    /// Beside the gate and the writer it is nobody's hurry.
    private static let backupNiceness: Int32 = 10

    /// Makes a backup while the store is served. Everything that was answered before this was
    /// called is in it, counts too.
    func backUp(_ order: BackupOrder, at now: Timestamp) async throws(Problem) -> JSON {
        let isFirst = isBackingUp.withLock { isBackingUp in
            defer { isBackingUp = true }
            return !isBackingUp
        }
        guard isFirst else {
            throw refusal(CommandRefusal(.inUse, "A backup is being made already; wait for it."))
        }
        defer { isBackingUp.withLock { $0 = false } }
        guard let store = store as? SQLiteStore else {
            throw .internal(cause: "only a SQLite store can be backed up")
        }
        try await checkpoint()
        let making = BackupMaking(configuration, isStopped: false)
        defer { making.clear() }
        do {
            // Hashing and syncing block: they have a thread of their own.
            let worker = try WorkerPool(name: "backup", threads: 1, queue: 1) {
                gatehouse_nice_thread(Self.backupNiceness)
            }
            defer { worker.close() }
            try making.prepare()
            try await store.copy(to: making.copyPath)
            let configuration = configuration
            let outcome = await worker.run { () -> Result<JSON, any Error>? in
                Result { try making.finish(order, configuration, at: now) }
            }
            guard case .done(let result?) = outcome else {
                throw Problem.internal(cause: "the backup's thread did not run")
            }
            let made = try result.get()
            logger.notice("backup made", metadata: ["file": "\(made["path"]?.encoded ?? "")"])
            return made
        } catch {
            throw refusal(error)
        }
    }

    /// What the command at the other end prints, and its exit code.
    private func refusal(_ error: any Error) -> Problem {
        let refusal = CommandRefusal(error) ?? CommandRefusal(.failed, "\(error)")
        logger.error("backup failed", metadata: ["cause": "\(refusal.line)"])
        var problem = Problem(.conflict, refusal.line)
        problem.members = [JSON.Member("exit_code", .integer(Int64(refusal.code.rawValue)))]
        return problem
    }
}
