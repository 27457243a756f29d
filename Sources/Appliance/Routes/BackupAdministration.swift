import Domain
import HTTPTypes
import Store

extension Appliance {
    var backupRoutes: [Route] {
        [
            Route(.get, "/api/v1/admin/backups", .adminRead) { call throws(Problem) in
                try await self.listBackups(call)
            },
            Route(.post, "/api/v1/admin/backups", .adminWrite, creates: true) {
                call throws(Problem) in
                try await self.makeBackup(call)
            },
            Route(.get, "/api/v1/admin/backups/{name}", .adminRead) { call throws(Problem) in
                try await self.downloadBackup(call)
            },
        ]
    }

    /// The backups in `backup.directory`, the newest first as far as their names tell.
    private func listBackups(_ call: Call) async throws(Problem) -> Answer {
        let limit = try call.page(cursorIsID: false).limit
        var before: String?
        if let cursor = call.query("cursor") {
            guard let bytes = Base64URL.decode(cursor.utf8) else {
                throw .invalid("cursor", "invalid", "This cursor is not one of ours.")
            }
            before = String(decoding: bytes, as: UTF8.self)
        }
        let results = DrillLog.latest(try await drills())
        let (folder, configuration, last) = (backupFolder, configuration, before)
        let (names, entries) = try await reading { () -> ([String], [BackupFolder.Entry]) in
            let names = folder.names().filter { name in last.map { name < $0 } ?? true }
            // Without its key an encrypted one is listed by its name and its file.
            let key = try? BackupOrder().key(configuration)
            let page = Array(names.prefix(limit))
            return (page, page.compactMap { folder.entry($0, key: key) })
        }
        let next = names.count == limit ? names.last.map { Base64URL.encode($0.utf8) } : nil
        return .list(entries, nextCursor: next) { json, entry in
            json.backup(entry, results[entry.name], at: call.now)
        }
    }

    /// Answers when the backup is whole, which takes minutes for a store of gigabytes. When the
    /// client or a proxy gives up before, it is made all the same, and the same `Idempotency-Key`
    /// gets its answer.
    private func makeBackup(_ call: Call) async throws(Problem) -> Answer {
        var form = try await call.optionalForm()
        try form.finish()
        let actor = try call.signedIn().actor
        do throws(CommandRefusal) {
            let made = try await backUp(
                BackupOrder(), by: actor, from: call.origin, at: call.now
            ) { db, made throws(Problem) in
                try call.keep(Self.created(made, at: call.now), db)
            }
            return Self.created(made, at: call.now)
        } catch {
            throw Self.problem(error)
        }
    }

    private static func created(_ made: BackupMade, at now: Timestamp) -> Answer {
        let entry = BackupFolder.Entry(
            name: made.name, bytes: made.bytes, createdAt: made.manifest.createdAt,
            isEncrypted: made.manifest.isEncrypted, manifest: made.manifest)
        return Answer.json(.created) { $0.backup(entry, nil, at: now) }
            .with(.location, "/api/v1/admin/backups/\(made.name)")
    }

    /// A line for an operator names folders: it is for the log, and its kind for the client.
    private static func problem(_ refusal: CommandRefusal) -> Problem {
        switch refusal.code {
        case .inUse: return Problem(.conflict, refusal.line)
        case .cannotCreate:
            var problem = Problem(.unavailable, "There is no room for a backup.")
            problem.cause = refusal.line
            problem.retryAfter = .seconds(3600)
            return problem
        case .failed, .damaged, .configuration: return .internal(cause: refusal.line)
        }
    }

    /// A backup in the clear has the password hashes of everybody and the keys that sign access
    /// tokens: whoever has it can be anybody, an admin too. So reading it is no reading of the
    /// admin API, which support may do: it takes an admin, and of a key `admin:write`.
    private func downloadBackup(_ call: Call) async throws(Problem) -> Answer {
        let caller = try call.signedIn()
        let (folder, name) = (backupFolder, call.parameter("name"))
        guard let file = try await reading({ folder.open(name) }) else {
            throw .notFound("backup")
        }
        guard caller.account.role == .admin else {
            throw Problem(.forbidden, "A backup has everybody's secrets: it is for admins.")
        }
        guard caller.has(.adminWrite) else {
            throw Problem(.insufficientScope, "This needs the scope admin:write.")
        }
        // Who only asks how long it is takes nothing away.
        if call.request.method != .head {
            try demandRecentSignIn(caller, at: call.now)
            let event = call.origin.event(
                "backup.downloaded", by: caller.actor, on: "backup:\(name)")
            let now = call.now
            try await store.write { db throws(Problem) in try db.audit.append(event, at: now) }
        }
        return Answer.stream("application/octet-stream", Answer.Stream(file))
            .with(.contentDisposition, "attachment; filename=\"\(Self.quoted(name))\"")
            .with(.eTag, "\"\(file.tag)\"")
    }

    /// As a quoted-string of RFC 9110: what could end it, or is no visible ASCII, is left out.
    private static func quoted(_ name: String) -> String {
        let visible = name.utf8.filter { (0x20...0x7E).contains($0) && $0 != 0x22 && $0 != 0x5C }
        return String(decoding: visible, as: UTF8.self)
    }

    private func reading<Value: Sendable>(
        _ body: @escaping @Sendable () -> Value
    ) async throws(Problem) -> Value {
        do {
            return try await blocking(body)
        } catch {
            throw .internal(cause: "\(error)")
        }
    }
}

extension JSONWriter {
    /// `Backup`. `verified` says how far it can be relied on: `restored`, a drill restored it;
    /// `written`, it was read back whole when it was made, and its head still is; `damaged`, a
    /// drill or its head says so; `unknown`, it is sealed with a key that is not at hand.
    fileprivate mutating func backup(
        _ entry: BackupFolder.Entry, _ drill: DrillResult?, at now: Timestamp
    ) {
        var verified = entry.isEncrypted == true ? "unknown" : "damaged"
        var verifiedAt: Timestamp?
        if let drill {
            verified = drill.failure == nil ? "restored" : "damaged"
            verifiedAt = drill.at
        } else if let manifest = entry.manifest {
            verified = "written"
            verifiedAt = manifest.createdAt
        }
        object { json in
            json.member("name", entry.name)
            json.member("bytes", entry.bytes)
            json.member("created_at", entry.createdAt)
            json.member("age_seconds", max(0, (now - entry.createdAt).wholeMilliseconds / 1000))
            json.member("encrypted") { $0.value(entry.isEncrypted.map { .bool($0) } ?? .null) }
            json.member("schema", entry.manifest.map { Int64($0.schema) })
            json.member("rows", entry.manifest?.rows)
            json.member("verified", verified)
            json.member("verified_at", verifiedAt)
        }
    }
}
