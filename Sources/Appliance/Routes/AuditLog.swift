import Domain
import HTTPTypes
import Store

extension Appliance {
    var auditRoutes: [Route] {
        [
            Route(.get, "/api/v1/admin/audit-logs", .adminRead, .listAudit) {
                call throws(Problem) in
                try await self.answer(try Self.auditLog(call), to: call)
            },
            Route(.get, "/api/v1/admin/audit-logs/verify", .adminRead, .verifyAudit) {
                _ throws(Problem) in
                let walk = try await self.walkAudit()
                return .json { $0.auditWalk(walk) }
            },
        ]
    }

    package func walkAudit() async throws(Problem) -> AuditWalk {
        var walk = AuditWalk()
        while !walk.isOver {
            walk = try await store.read { [walk] db throws(Problem) in
                var next = walk
                try next.step(db)
                return next
            }
        }
        return walk
    }

    /// Rows of one round: their hashes are checked before they go, some ten milliseconds of the
    /// writer.
    private static let auditRowsPruned = 500

    /// Removes rows that are older than `audit.keep`; returns how many, which is 500 while more are
    /// left. The chain of the rest can still be checked.
    package func pruneAudit(at now: Timestamp) async throws(Problem) -> Int {
        guard let kept = configuration.audit.keep else { return 0 }
        return try await store.write { db throws(Problem) in
            try db.audit.prune(before: now - kept, atMost: Self.auditRowsPruned, at: now)
        }
    }

    private static func auditLog(_ call: Call) throws(Problem) -> Listing<AuditLog.Entry> {
        var filter = AuditLog.Filter()
        filter.actor = try call.queryText("actor")
        filter.action = try call.queryText("action")
        filter.target = try call.queryText("target")
        filter.from = try time("from", call)
        filter.to = try time("to", call)
        let wanted = filter
        return Listing(
            name: "audit-logs", filters: ["actor", "action", "target", "from", "to"],
            columns: [
                "sequence", "id", "at", "action", "actor", "target", "meta", "request_id", "ip",
            ],
            write: { $0.auditEntry($1) }, position: { "\($0.sequence)" },
            read: { db, page throws(Problem) in
                try db.audit.list(
                    wanted, before: page.before.flatMap { Int64($0) }, limit: page.limit)
            })
    }

    private static func time(_ name: String, _ call: Call) throws(Problem) -> Timestamp? {
        guard let text = call.query(name) else { return nil }
        guard let moment = Timestamp(text) else {
            throw .invalid(name, "invalid", "Expected a time such as 2026-11-23T16:52:00Z.")
        }
        return moment
    }
}

extension Shapes {
    static let auditEntry = Shape<AuditLog.Entry>(
        "AuditEntry",
        [
            .member("sequence") { $0.sequence },
            .member("id") { $0.id },
            .member("at") { $0.at },
            .member("action", .string(example: "plan.updated")) { $0.action },
            .member("actor", .string(example: "user:019361a4-8d5b-7c3e-9f21-6b0d8e4a7c15")) {
                $0.actor
            },
            .member("target", .string(example: "plan:free")) { $0.target },
            .member("meta") { $0.meta },
            .member("request_id") { $0.requestID },
            .member("ip", .string(example: "192.0.2.7")) { $0.address },
        ])

    static let auditWalk = Shape<AuditWalk>(
        "AuditVerification",
        [
            .member("intact") { $0.broken == nil },
            .member("rows", .integer(example: 4711)) { $0.rows },
            .member("pruned_through") { $0.prunedThrough },
            .member("first_broken") { $0.broken?.sequence },
            .member("first_broken_id") { $0.broken?.id },
        ])
}

extension JSONWriter {
    /// `AuditEntry`.
    fileprivate mutating func auditEntry(_ entry: AuditLog.Entry) {
        write(entry, as: Shapes.auditEntry)
    }

    /// Whether the chain holds, and the first row that does not.
    mutating func auditWalk(_ walk: AuditWalk) { write(walk, as: Shapes.auditWalk) }
}
