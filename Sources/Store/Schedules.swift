import Domain

extension Connection {
    package var schedules: Schedules { Schedules(db: self) }
}

/// The `schedules` table: what comes again and again, and when next. The name of a schedule is the
/// kind of the job that it enqueues.
package struct Schedules {
    let db: any Connection

    package struct Entry: Equatable, Sendable {
        package let name: String
        package let spec: String
        package let nextAt: Timestamp
        /// When it last came due.
        package let lastAt: Timestamp?
        /// What became of the job that it enqueued last.
        package let lastState: Job.State?
    }

    /// Keeps a schedule. One that stands there as it is goes on: what came due while none ran is
    /// still due. One that is new or was changed begins at `nextAt`, and so does one that a clock
    /// which ran ahead has put off beyond that.
    package func set(_ name: String, spec: String, nextAt: Timestamp) throws(Problem) {
        try db.execute(
            """
            INSERT INTO schedules (name, spec, next_at) VALUES (\(name), \(spec), \(nextAt))
            ON CONFLICT (name) DO UPDATE SET spec = excluded.spec, next_at =
                CASE WHEN schedules.spec = excluded.spec
                    AND schedules.next_at < excluded.next_at
                THEN schedules.next_at ELSE excluded.next_at END
            """)
    }

    package func remove(_ name: String) throws(Problem) {
        try db.execute("DELETE FROM schedules WHERE name = \(name)")
    }

    package func list() throws(Problem) -> [Entry] {
        try db.rows(
            """
            SELECT s.name, s.spec, s.next_at, s.last_at, j.state FROM schedules s
            LEFT JOIN jobs j ON j.id = s.last_job_id ORDER BY s.name
            """
        ) { row throws(Problem) in
            Entry(
                name: try row.text(), spec: try row.text(), nextAt: try row.timestamp(),
                lastAt: try row.optionalTimestamp(),
                lastState: try row.optionalText().flatMap { Job.State(rawValue: $0) })
        }
    }

    package struct Due: Equatable, Sendable {
        package let name: String
        package let spec: String
        /// The first due time that was not served.
        package let at: Timestamp

        package init(name: String, spec: String, at: Timestamp) {
            self.name = name
            self.spec = spec
            self.at = at
        }
    }

    /// What is due, the longest waiting first.
    package func due(at now: Timestamp) throws(Problem) -> [Due] {
        try db.rows(
            """
            SELECT name, spec, next_at FROM schedules WHERE next_at <= \(now)
            ORDER BY next_at, name
            """
        ) { row throws(Problem) in
            Due(name: try row.text(), spec: try row.text(), at: try row.timestamp())
        }
    }

    /// Enqueues the job of a due time and goes on to the next, in the caller's transaction: whoever
    /// dies and however many do this at once, a due time has one job. While the job of an earlier
    /// one still waits or runs it stands for this one too, so that a job which fails for a day does
    /// not leave a queue of its like behind.
    ///
    /// - Parameter next: nil when there is no next one, and the schedule ends.
    /// - Returns: nil when this due time has its job already.
    package func fire(
        _ due: Due, attemptsMax: Int64, next: Timestamp?, at now: Timestamp
    ) throws(Problem) -> JobID? {
        let count = try db.execute(
            """
            UPDATE schedules SET next_at = \(next ?? now), last_at = \(now)
            WHERE name = \(due.name) AND next_at = \(due.at)
            """)
        guard count == 1 else { return nil }
        let job = try db.jobs.enqueue(
            due.name, payload: .object([]), attemptsMax: attemptsMax,
            uniqueKey: "schedule:\(due.name)", at: now)
        if let job {
            try db.execute(
                "UPDATE schedules SET last_job_id = \(job) WHERE name = \(due.name)")
        }
        if next == nil { try remove(due.name) }
        return job
    }

    /// When the first one of these is due; nil without any.
    package func next(of names: Set<String>) throws(Problem) -> Timestamp? {
        try db.rows("SELECT name, next_at FROM schedules ORDER BY next_at, name") {
            row throws(Problem) in (name: try row.text(), at: try row.timestamp())
        }.first { names.contains($0.name) }?.at
    }
}
