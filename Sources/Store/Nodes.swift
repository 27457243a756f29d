import Domain

extension Connection {
    package var nodes: Nodes { Nodes(db: self) }
}

/// The `nodes` table: the daemons that share the store. Each counts its beat up while it lives;
/// clocks are not compared, so who looks notes by its own when a beat has changed last.
package struct Nodes {
    let db: any Connection

    package struct Entry: Equatable, Sendable {
        package let name: NodeName
        package let beat: Int64
        /// What the live state in memory shared by all began with, as far as this node has told
        /// it all that it had counted (`reach`). Nil: it has not since it started.
        package let epoch: String?
        /// Of its program.
        package let version: String
        package let startedAt: Timestamp
        /// By its own clock, for people to read.
        package let beatAt: Timestamp
    }

    /// A node that starts, or whose row was removed. Its beat goes on from where a former start's
    /// was, so that it changes.
    package func enter(
        _ name: NodeName, version: String, reached epoch: String? = nil, at now: Timestamp
    ) throws(Problem) {
        try db.execute(
            """
            INSERT INTO nodes (name, beat, epoch, version, started_at, beat_at)
            VALUES (\(name.description), 1, \(epoch), \(version), \(now), \(now))
            ON CONFLICT (name) DO UPDATE SET beat = nodes.beat + 1, epoch = excluded.epoch,
                version = excluded.version, started_at = excluded.started_at,
                beat_at = excluded.beat_at
            """)
    }

    /// False when the node is not there, since it was taken for one that will not come back.
    package func beat(_ name: NodeName, at now: Timestamp) throws(Problem) -> Bool {
        try db.execute(
            """
            UPDATE nodes SET beat = beat + 1, beat_at = \(now) WHERE name = \(name.description)
            """) == 1
    }

    /// All that the node had counted before this epoch is in the store. False as above.
    package func reach(_ epoch: String, _ name: NodeName) throws(Problem) -> Bool {
        try db.execute(
            "UPDATE nodes SET epoch = \(epoch) WHERE name = \(name.description)") == 1
    }

    /// A node that stops; all that it had counted is in the store.
    package func leave(_ name: NodeName) throws(Problem) {
        try db.execute("DELETE FROM nodes WHERE name = \(name.description)")
    }

    package func list() throws(Problem) -> [Entry] {
        try db.rows(
            """
            SELECT name, beat, epoch, version, started_at, beat_at FROM nodes ORDER BY name
            """
        ) { row throws(Problem) in
            Entry(
                name: try row.parsed { NodeName($0) }, beat: try row.integer(),
                epoch: try row.optionalText(), version: try row.text(),
                startedAt: try row.timestamp(), beatAt: try row.timestamp())
        }
    }

    /// One that is taken for dead, unless it has beaten since it was listed.
    package func remove(_ name: NodeName, beat: Int64) throws(Problem) {
        try db.execute(
            "DELETE FROM nodes WHERE name = \(name.description) AND beat = \(beat)")
    }
}
