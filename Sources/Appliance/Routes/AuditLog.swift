import Domain
import HTTPTypes
import Store

extension Appliance {
    var auditRoutes: [Route] {
        [
            Route(.get, "/api/v1/admin/audit-logs", .adminRead) { call throws(Problem) in
                try await self.auditLog(call)
            },
            Route(.get, "/api/v1/admin/audit-logs/verify", .adminRead) { _ throws(Problem) in
                let state = try await self.verifyAuditChain()
                return .json { json in
                    json.object { json in
                        json.member("intact", state.broken == nil)
                        json.member("rows", state.rows)
                        json.member("first_broken", state.broken)
                    }
                }
            },
        ]
    }

    /// Rows that are read in one look: some milliseconds of a reader.
    private static let auditRowsEach = 1000

    /// Walks the whole chain: how many rows hold, and the sequence number of the first that does
    /// not. A chain whose end was cut off holds; only a copy kept elsewhere shows that.
    package func verifyAuditChain() async throws(Problem) -> (rows: Int64, broken: Int64?) {
        var last = (sequence: Int64(0), hash: [UInt8]())
        while true {
            let from = last
            let (broken, next) = try await store.read { db throws(Problem) in
                try db.audit.verify(
                    after: from.sequence, previous: from.hash, count: Self.auditRowsEach)
            }
            if let broken { return (last.sequence, broken) }
            guard let next else { return (last.sequence, nil) }
            last = next
        }
    }

    private func auditLog(_ call: Call) async throws(Problem) -> Answer {
        var filter = AuditLog.Filter()
        filter.actor = call.query("actor")
        filter.action = call.query("action")
        filter.target = call.query("target")
        filter.from = try Self.time("from", call)
        filter.to = try Self.time("to", call)
        let limit = try call.page(cursorIsID: false).limit
        var before: Int64?
        if let cursor = call.query("cursor") {
            guard let bytes = Base64URL.decode(cursor.utf8),
                let sequence = Int64(String(decoding: bytes, as: UTF8.self))
            else { throw .invalid("cursor", "invalid", "This cursor is not one of ours.") }
            before = sequence
        }
        let wanted = filter
        let start = before
        let entries = try await store.read { db throws(Problem) in
            try db.audit.list(wanted, before: start, limit: limit)
        }
        let isFull = entries.count == limit
        let next = isFull ? entries.last.map { Base64URL.encode("\($0.sequence)".utf8) } : nil
        return .list(entries, nextCursor: next) { $0.auditEntry($1) }
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
}
