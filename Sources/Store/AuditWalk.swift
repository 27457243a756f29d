import Domain

/// A walk over the whole audit chain in short looks, so that no snapshot is held for long.
package struct AuditWalk: Sendable {
    /// A row that does not fit. Its id as it stands there, which may be tampered with too.
    package struct Broken: Sendable, Equatable {
        package let sequence: Int64
        package let id: String

        package init(sequence: Int64, id: String) {
            self.sequence = sequence
            self.id = id
        }
    }

    private var sequence: Int64 = 0
    private var hash: [UInt8] = []
    /// Rows that fit.
    package private(set) var rows: Int64 = 0
    /// The last row that retention has removed; 0 when none was.
    package private(set) var prunedThrough: Int64 = 0
    package private(set) var broken: Broken?
    package private(set) var isOver = false

    /// Rows that are read in one look: some milliseconds of a reader.
    private static let rowsEach = 1000

    package init() {}

    /// One look, for one snapshot. A chain whose end was cut off holds; only a copy kept elsewhere
    /// shows that.
    package mutating func step(_ db: any Connection) throws(Problem) {
        // Retention may have removed rows since the last look.
        if let anchor = try db.audit.anchor(), anchor.sequence > sequence {
            (sequence, hash) = anchor
            prunedThrough = anchor.sequence
            // What stood before it has gone; a row there was put in.
            if let first = try db.audit.firstSequence(), first <= anchor.sequence {
                return try end(at: first, db)
            }
        }
        let (row, next) = try db.audit.verify(
            after: sequence, previous: hash, count: Self.rowsEach)
        if let row {
            rows += try db.audit.count(after: sequence, before: row)
            return try end(at: row, db)
        }
        guard let next else {
            isOver = true
            return
        }
        rows += next.sequence - sequence
        (sequence, hash) = next
    }

    private mutating func end(at row: Int64, _ db: any Connection) throws(Problem) {
        broken = Broken(sequence: row, id: try db.audit.id(of: row))
        isOver = true
    }
}

extension AuditLog {
    /// As it stands there; empty when there is no such row.
    package func id(of sequence: Int64) throws(Problem) -> String {
        try db.first("SELECT id FROM audit_logs WHERE sequence = \(sequence)") {
            row throws(Problem) in try row.text()
        } ?? ""
    }

    package func firstSequence() throws(Problem) -> Int64? {
        try db.first("SELECT sequence FROM audit_logs ORDER BY sequence LIMIT 1") {
            row throws(Problem) in try row.integer()
        }
    }

    package func count(after first: Int64, before last: Int64) throws(Problem) -> Int64 {
        try db.count(
            """
            SELECT count(*) FROM audit_logs WHERE sequence > \(first) AND sequence < \(last)
            """)
    }
}
