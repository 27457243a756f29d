import Domain

extension Connection {
    package var changes: Changes { Changes(db: self) }
}

/// The `changes` table: what nodes that share the store have to take out of their memory. On
/// PostgreSQL triggers fill it in the transaction that changes a row (`Migration.severalNodes`), so
/// nobody who writes can forget it; on SQLite, which one process has, it stays empty.
///
/// Numbers are given in the order of commits, with gaps where a transaction was undone: who has
/// read up to one of them has missed none before it.
package struct Changes {
    let db: any Connection

    package struct Entry: Equatable, Sendable {
        package let seq: Int64
        /// Nil: of a newer program, which this one runs beside for the time of an upgrade.
        package let kind: Kind?
        package let subject: String
    }

    package enum Kind: String, CaseIterable, Sendable {
        /// The subject is the id, of an account that was changed or deleted.
        case account
        case accountDeleted = "account_deleted"
        /// The session's id.
        case session
        /// The public id of an API key, or the one from before its rotation.
        case key
        /// The id of whose subscription it is.
        case subscription
        /// The plan's slug.
        case plan
        /// Which keys of the installation.
        case keys
    }

    /// How long a change is kept: who has not read it by then forgets all.
    package static let kept: Duration = .seconds(3600)

    /// The name in `installation`.
    static let prunedName = "changes_pruned"

    /// Up to where changes were made and, in the same snapshot, can have been removed.
    package struct Reach: Equatable, Sendable {
        package let last: Int64
        /// Who has not read this one has missed something.
        package let pruned: Int64
    }

    /// One statement, for nodes ask it again and again, and most times that is all.
    package func reach() throws(Problem) -> Reach {
        try db.first(
            """
            SELECT (SELECT value FROM installation WHERE name = \(Self.prunedName)),
                (SELECT max(seq) FROM changes)
            """
        ) { row throws(Problem) in
            let pruned = try row.optionalText().flatMap { Int64($0) } ?? 0
            return Reach(last: try row.optionalInteger() ?? pruned, pruned: pruned)
        } ?? Reach(last: 0, pruned: 0)
    }

    /// What came after that one, in the order of commits.
    package func list(after seq: Int64, atMost most: Int) throws(Problem) -> [Entry] {
        try db.rows(
            """
            SELECT seq, kind, subject FROM changes WHERE seq > \(seq) ORDER BY seq LIMIT \(most)
            """
        ) { row throws(Problem) in
            Entry(
                seq: try row.integer(), kind: Kind(rawValue: try row.text()),
                subject: try row.text())
        }
    }

    /// Removes what was made before a moment, and notes up to where; returns how many went.
    package func prune(madeBefore moment: Timestamp, atMost most: Int) throws(Problem) -> Int {
        // The oldest by number: clocks may differ a little, and what stays longer hurts nobody.
        let old = try db.rows("SELECT seq, at FROM changes ORDER BY seq LIMIT \(most)") {
            row throws(Problem) in (seq: try row.integer(), at: try row.timestamp())
        }.prefix { $0.at < moment }
        guard let last = old.last?.seq else { return 0 }
        try db.installation.set(Self.prunedName, String(last))
        return try db.execute("DELETE FROM changes WHERE seq <= \(last)")
    }
}
