import Crypto
import Domain

extension Connection {
    package var audit: AuditLog { AuditLog(db: self) }
}

/// The `audit_logs` table: appended in the transaction of what it tells of, each row's hash over
/// the row and the hash before it, so that a row changed or taken out shows.
///
/// The address of a client is personal data that must go when its owner does. The chain therefore
/// covers a salted digest of it, and erasing takes the address and the salt: the chain still holds.
package struct AuditLog {
    let db: any Connection

    package struct Entry: Sendable {
        package let sequence: Int64
        package let id: AuditEventID
        package let at: Timestamp
        package let action: String
        package let actor: String
        package let target: String
        package let meta: JSON
        package let requestID: String?
        package let address: String?
    }

    package func append(_ event: AuditEvent, at now: Timestamp) throws(Problem) {
        let last = try db.first(
            "SELECT sequence, hash FROM audit_logs ORDER BY sequence DESC LIMIT 1"
        ) { row throws(Problem) in (sequence: try row.integer(), hash: try row.bytes()) }
        var random = SystemRandomNumberGenerator()
        let salt = event.address.map { _ in
            (0..<16).map { _ in UInt8.random(in: .min ... .max, using: &random) }
        }
        let link = Link(
            sequence: (last?.sequence ?? 0) + 1,
            id: AuditEventID(at: now, using: &random).description, at: now.milliseconds,
            action: event.action, actor: event.actor.text, target: event.target,
            meta: event.meta.encoded, requestID: event.requestID,
            digest: Self.digest(of: event.address, salt: salt))
        let previous = last?.hash ?? []
        try db.execute(
            """
            INSERT INTO audit_logs (sequence, id, at, action, actor, target, meta_json, request_id,
                ip, ip_salt, ip_digest, previous_hash, hash)
            VALUES (\(link.sequence), \(link.id), \(link.at), \(link.action), \(link.actor),
                \(link.target), \(link.meta), \(link.requestID), \(event.address), \(salt),
                \(link.digest), \(previous), \(link.hash(after: previous)))
            """)
    }

    /// Takes a person's addresses out of the rows about what they did.
    package func eraseAddresses(of user: UserID) throws(Problem) {
        let actor = AuditEvent.Actor.user(user).text
        try db.execute(
            "UPDATE audit_logs SET ip = NULL, ip_salt = NULL WHERE actor = \(actor)")
        try db.execute(
            "UPDATE audit_logs SET ip = NULL, ip_salt = NULL WHERE target = \(actor)")
    }

    package struct Filter: Sendable {
        package var actor: String?
        package var action: String?
        package var target: String?
        package var from: Timestamp?
        package var to: Timestamp?

        package init() {}
    }

    /// The newest first, from before the entry with that sequence number.
    package func list(
        _ filter: Filter, before sequence: Int64?, limit: Int
    ) throws(Problem) -> [Entry] {
        var conditions: SQL = "sequence < \(sequence ?? Int64.max)"
        if let actor = filter.actor { conditions += " AND actor = \(actor)" }
        if let action = filter.action { conditions += " AND action = \(action)" }
        if let target = filter.target { conditions += " AND target = \(target)" }
        if let from = filter.from { conditions += " AND at >= \(from)" }
        if let to = filter.to { conditions += " AND at < \(to)" }
        return try db.rows(
            """
            SELECT sequence, id, at, action, actor, target, meta_json, request_id, ip
            FROM audit_logs WHERE \(conditions) ORDER BY sequence DESC LIMIT \(limit)
            """
        ) { row throws(Problem) in try Self.decode(&row) }
    }

    private static func decode(_ row: inout Row) throws(Problem) -> Entry {
        Entry(
            sequence: try row.integer(), id: try row.id(), at: try row.timestamp(),
            action: try row.text(), actor: try row.text(), target: try row.text(),
            meta: try row.json(), requestID: try row.optionalText(),
            address: try row.optionalText())
    }

    /// The sequence number of the first row of `count` after `sequence` that does not fit the
    /// chain, and where to go on; both nil at the end of a chain that holds.
    package func verify(
        after sequence: Int64, previous hash: [UInt8], count: Int
    ) throws(Problem) -> (broken: Int64?, next: (sequence: Int64, hash: [UInt8])?) {
        let rows = try db.rows(
            """
            SELECT sequence, id, at, action, actor, target, meta_json, request_id, ip_digest, ip,
                ip_salt, previous_hash, hash
            FROM audit_logs WHERE sequence > \(sequence) ORDER BY sequence LIMIT \(count)
            """
        ) { row throws(Problem) in
            let link = Link(
                sequence: try row.integer(), id: try row.text(), at: try row.integer(),
                action: try row.text(), actor: try row.text(), target: try row.text(),
                meta: try row.text(), requestID: try row.optionalText(),
                digest: try row.optionalBytes())
            let address = try row.optionalText()
            let salt = try row.optionalBytes()
            // Erasing takes the address and its salt together: one without the other was put there.
            let addressHolds =
                (address == nil) == (salt == nil)
                && (salt == nil || link.digest == Self.digest(of: address, salt: salt))
            return (link, addressHolds, previous: try row.bytes(), hash: try row.bytes())
        }
        var last = (sequence: sequence, hash: hash)
        for (link, addressHolds, previous, hash) in rows {
            guard link.sequence == last.sequence + 1, previous == last.hash, addressHolds,
                hash == link.hash(after: last.hash)
            else { return (link.sequence, nil) }
            last = (link.sequence, hash)
        }
        return (nil, rows.isEmpty ? nil : last)
    }

    // MARK: Retention

    /// The action of the row that tells what was removed, and with it where the chain begins.
    private static let pruned = "audit.pruned"

    /// The last row that was removed: the chain goes on from its hash. The newest row about a
    /// removal says which, and stands in the chain itself; nil while all rows are there.
    package func anchor() throws(Problem) -> (sequence: Int64, hash: [UInt8])? {
        let meta = try db.first(
            """
            SELECT meta_json FROM audit_logs WHERE action = \(Self.pruned)
            ORDER BY sequence DESC LIMIT 1
            """
        ) { row throws(Problem) in try row.text() }
        // One that cannot be read is no anchor: the first row that is left then fails to fit.
        guard let meta, let json = try? JSONParser.parse(Array(meta.utf8)),
            case .integer(let sequence)? = json["through"], case .string(let text)? = json["hash"],
            let hash = Hex.bytes(of: text)
        else { return nil }
        return (sequence, hash)
    }

    /// Removes the oldest rows from before `moment`, at most `most`, and writes a row that says
    /// what went. Returns how many went. For a write transaction.
    ///
    /// Throws `internal`, and removes nothing, when a row among them does not fit the chain: its
    /// removal would hide that it was tampered with.
    package func prune(
        before moment: Timestamp, atMost most: Int, at now: Timestamp
    ) throws(Problem) -> Int {
        let start = try anchor() ?? (sequence: 0, hash: [])
        let rows = try db.rows(
            """
            SELECT sequence, at, hash FROM audit_logs WHERE sequence > \(start.sequence)
            ORDER BY sequence LIMIT \(most)
            """
        ) { row throws(Problem) in
            (sequence: try row.integer(), at: try row.timestamp(), hash: try row.bytes())
        }
        let old = rows.prefix { $0.at < moment }
        guard let last = old.last else { return 0 }
        let found = try verify(after: start.sequence, previous: start.hash, count: old.count)
        if let broken = found.broken {
            throw .internal(cause: "audit row \(broken) does not fit the chain; none was removed")
        }
        try append(
            AuditEvent(
                action: Self.pruned, actor: .system, target: "audit_log",
                meta: .object([
                    JSON.Member("through", .integer(last.sequence)),
                    JSON.Member("hash", .string(Hex.text(of: last.hash))),
                    JSON.Member("rows", .integer(Int64(old.count))),
                ])),
            at: now)
        // After it: it goes on from the last row, which may be among those.
        try db.execute("DELETE FROM audit_logs WHERE sequence <= \(last.sequence)")
        return old.count
    }

    private static func digest(of address: String?, salt: [UInt8]?) -> [UInt8]? {
        guard let address, let salt else { return nil }
        return Array(SHA256.hash(data: salt + Array(address.utf8)))
    }

    /// A row as the chain sees it: as it is written, before anything is read into it, so that a
    /// value which cannot be read any more is still found in its row.
    private struct Link {
        let sequence: Int64
        let id: String
        let at: Int64
        let action: String
        let actor: String
        let target: String
        let meta: String
        let requestID: String?
        let digest: [UInt8]?

        /// SHA-256 over the previous hash and the fields as a JSON array, whose quoting keeps one
        /// field from running into the next.
        func hash(after previous: [UInt8]) -> [UInt8] {
            let fields: [JSON] = [
                .integer(sequence), .string(id), .integer(at), .string(action), .string(actor),
                .string(target), .string(meta), .text(requestID),
                .text(digest.map { Hex.text(of: $0) }),
            ]
            return Array(SHA256.hash(data: previous + Array(JSON.array(fields).encoded.utf8)))
        }
    }
}
