import Domain
import HTTPTypes
import Store

extension Appliance {
    var backupRoutes: [Route] {
        [
            Route(.get, "/api/v1/admin/backups", .adminRead, .listBackups) { call throws(Problem) in
                try await self.listBackups(call)
            },
            Route(.post, "/api/v1/admin/backups", .adminWrite, .makeBackup, creates: true) {
                call throws(Problem) in
                try await self.makeBackup(call)
            },
            Route(.get, "/api/v1/admin/backups/{name}", .adminRead, .downloadBackup) {
                call throws(Problem) in
                try await self.downloadBackup(call)
            },
        ]
    }

    /// The backups in `backup.directory`, the newest first as far as their names tell.
    private func listBackups(_ call: Call) async throws(Problem) -> Answer {
        let limit = try call.page(cursorIsID: false).limit
        var before: String?
        if let cursor = call.query("cursor") {
            guard let bytes = Base64URL.decode(cursor.utf8), !bytes.isEmpty else {
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
                try call.keep(Self.created(made, call), db)
            }
            return Self.created(made, call)
        } catch {
            throw Self.problem(error)
        }
    }

    private static func created(_ made: BackupMade, _ call: Call) -> Answer {
        let entry = BackupFolder.Entry(
            name: made.name, bytes: made.bytes, createdAt: made.manifest.createdAt,
            isEncrypted: made.manifest.isEncrypted, manifest: made.manifest)
        return Answer.json(.created) { $0.backup(entry, nil, at: call.now) }
            .with(.location, "\(call.route.base)/admin/backups/\(made.name)")
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

/// A backup as lists show it. `verified` says how far it can be relied on: `restored`, a drill
/// restored it; `written`, it was read back whole when it was made, and its head still is;
/// `damaged`, a drill or its head says so; `unknown`, it is sealed with a key that is not at hand.
struct ShownBackup: Sendable {
    let entry: BackupFolder.Entry
    let drill: DrillResult?
    let now: Timestamp

    var verified: String {
        if let drill { return drill.failure == nil ? "restored" : "damaged" }
        if entry.manifest != nil { return "written" }
        return entry.isEncrypted == true ? "unknown" : "damaged"
    }

    var verifiedAt: Timestamp? { drill?.at ?? entry.manifest?.createdAt }

    var ageSeconds: Int64 { max(0, (now - entry.createdAt).wholeMilliseconds / 1000) }
}

extension Shapes {
    static let backup = Shape<ShownBackup>(
        "Backup",
        [
            .member("name", .string(example: "gatehouse-20261123T030000Z.backup")) {
                $0.entry.name
            },
            .member("bytes", .integer(example: 1_048_576)) { $0.entry.bytes },
            .member("created_at") { $0.entry.createdAt },
            .member("age_seconds", .integer(example: 3600)) { $0.ageSeconds },
            .member("encrypted") { $0.entry.isEncrypted },
            .member("schema") { $0.entry.manifest.map { Int64($0.schema) } },
            .member("rows", .integer(example: 4711)) { $0.entry.manifest?.rows },
            .member("verified", .words(["restored", "written", "damaged", "unknown"])) {
                $0.verified
            },
            .member("verified_at") { $0.verifiedAt },
        ])
}

extension JSONWriter {
    /// `Backup`.
    fileprivate mutating func backup(
        _ entry: BackupFolder.Entry, _ drill: DrillResult?, at now: Timestamp
    ) {
        write(ShownBackup(entry: entry, drill: drill, now: now), as: Shapes.backup)
    }
}
