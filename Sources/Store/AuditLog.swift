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
        let digest = Self.digest(of: event.address, salt: salt)
        let entry = Entry(
            sequence: (last?.sequence ?? 0) + 1, id: ID(at: now, using: &random), at: now,
            action: event.action, actor: event.actor.text, target: event.target,
            meta: event.meta, requestID: event.requestID, address: event.address)
        let previous = last?.hash ?? []
        let hash = Self.hash(of: entry, addressDigest: digest, after: previous)
        try db.execute(
            """
            INSERT INTO audit_logs (sequence, id, at, action, actor, target, meta_json, request_id,
                ip, ip_salt, ip_digest, previous_hash, hash)
            VALUES (\(entry.sequence), \(entry.id), \(now), \(entry.action), \(entry.actor),
                \(entry.target), \(entry.meta), \(entry.requestID), \(entry.address), \(salt),
                \(digest), \(previous), \(hash))
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
            SELECT sequence, id, at, action, actor, target, meta_json, request_id, ip, ip_salt,
                ip_digest, previous_hash, hash
            FROM audit_logs WHERE sequence > \(sequence) ORDER BY sequence LIMIT \(count)
            """
        ) { row throws(Problem) in
            let entry = try Self.decode(&row)
            let salt = try row.optionalBytes()
            let digest = try row.optionalBytes()
            return (entry, salt, digest, previous: try row.bytes(), hash: try row.bytes())
        }
        var last = (sequence: sequence, hash: hash)
        for (entry, salt, digest, previous, hash) in rows {
            // Erasing takes the address and its salt; an address without one was put there.
            let addressHolds =
                salt == nil
                ? entry.address == nil : digest == Self.digest(of: entry.address, salt: salt)
            let expected = Self.hash(of: entry, addressDigest: digest, after: last.hash)
            guard entry.sequence == last.sequence + 1, previous == last.hash, addressHolds,
                hash == expected
            else { return (entry.sequence, nil) }
            last = (entry.sequence, hash)
        }
        return (nil, rows.isEmpty ? nil : last)
    }

    private static func digest(of address: String?, salt: [UInt8]?) -> [UInt8]? {
        guard let address, let salt else { return nil }
        return Array(SHA256.hash(data: salt + Array(address.utf8)))
    }

    /// SHA-256 over the previous hash and the fields as a JSON array, whose quoting keeps one
    /// field from running into the next.
    private static func hash(
        of entry: Entry, addressDigest: [UInt8]?, after previous: [UInt8]
    ) -> [UInt8] {
        let fields: [JSON] = [
            .integer(entry.sequence), .string(entry.id.description),
            .integer(entry.at.milliseconds), .string(entry.action), .string(entry.actor),
            .string(entry.target), .string(entry.meta.encoded), .text(entry.requestID),
            .text(addressDigest.map { Hex.text(of: $0) }),
        ]
        return Array(SHA256.hash(data: previous + Array(JSON.array(fields).encoded.utf8)))
    }
}
