import Domain
import HTTPTypes
import Store

extension Appliance {
    var auditRoutes: [Route] {
        [
            Route(.get, "/api/v1/admin/audit-logs", .adminRead) { call throws(Problem) in
                try await self.answer(try Self.auditLog(call), to: call)
            },
            Route(.get, "/api/v1/admin/audit-logs/verify", .adminRead) { _ throws(Problem) in
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
        filter.actor = call.query("actor")
        filter.action = call.query("action")
        filter.target = call.query("target")
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

extension JSONWriter {
    /// `AuditEntry`.
    fileprivate mutating func auditEntry(_ entry: AuditLog.Entry) {
        object { json in
            json.member("sequence", entry.sequence)
            json.member("id", entry.id)
            json.member("at", entry.at)
            json.member("action", entry.action)
            json.member("actor", entry.actor)
            json.member("target", entry.target)
            json.member("meta") { $0.value(entry.meta) }
            json.member("request_id", entry.requestID)
            json.member("ip", entry.address)
        }
    }

    /// Whether the chain holds, and the first row that does not.
    mutating func auditWalk(_ walk: AuditWalk) {
        object { json in
            json.member("intact", walk.broken == nil)
            json.member("rows", walk.rows)
            json.member("pruned_through", walk.prunedThrough)
            json.member("first_broken", walk.broken?.sequence)
            json.member("first_broken_id", walk.broken?.id)
        }
    }
}
