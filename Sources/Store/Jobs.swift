import Domain

extension Connection {
    package var jobs: Jobs { Jobs(db: self) }
}

/// The `jobs` table: work that outlives the request and the process that asked for it.
///
/// A job is enqueued in the transaction of what it belongs to, so there is neither the one without
/// the other. Who claims it holds a lease: a name that no other claim has, and an end that is moved
/// on while the work lasts. Whatever the holder writes later is bound to that name, so who has lost
/// the lease changes nothing. A lease that ran out, because its process died, is taken back and the
/// job runs again: at least once, hence its work must bear being repeated.
package struct Jobs {
    let db: any Connection

    private static let columns: StaticString = """
        id, kind, state, run_at, attempts, attempts_max, last_error, created_at, finished_at
        """

    /// Bytes of a payload's JSON: it names what the work is about and does not carry it.
    package static let payloadMax = 64 * 1024

    private static func decode(_ row: inout Row) throws(Problem) -> Job {
        Job(
            id: try row.id(), kind: try row.text(), state: try row.parsed(Job.State.init),
            runAt: try row.timestamp(), attempts: try row.integer(),
            attemptsMax: try row.integer(), lastError: try row.optionalText(),
            createdAt: try row.timestamp(), finishedAt: try row.optionalTimestamp())
    }

    // MARK: Enqueuing

    /// For a write transaction: once it commits, who runs jobs is woken.
    ///
    /// - Parameter uniqueKey: while a job with this key waits or runs, there is no second one.
    /// - Returns: nil, and nothing is written, when there is one with that key.
    package func enqueue(
        _ kind: String, payload: JSON, attemptsMax: Int64, uniqueKey: String? = nil,
        runAt: Timestamp? = nil, at now: Timestamp
    ) throws(Problem) -> JobID? {
        guard payload.encoded.utf8.count <= Self.payloadMax else {
            throw .internal(cause: "a job of kind \(kind) has more than \(Self.payloadMax) bytes")
        }
        var random = SystemRandomNumberGenerator()
        let id = JobID(at: now, using: &random)
        let count = try db.execute(
            """
            INSERT INTO jobs (id, kind, unique_key, payload_json, state, run_at, attempts,
                attempts_max, created_at)
            VALUES (\(id), \(kind), \(uniqueKey), \(payload), 'queued', \(runAt ?? now), 0,
                \(attemptsMax), \(now))
            ON CONFLICT (unique_key)
                WHERE unique_key IS NOT NULL AND state IN ('queued', 'running') DO NOTHING
            """)
        guard count == 1 else { return nil }
        db.didEnqueue()
        return id
    }

    // MARK: Running

    /// A job in the hands of who runs it.
    package struct Claim: Equatable, Sendable {
        package let job: Job
        package let payload: JSON
        package let owner: String

        package init(job: Job, payload: JSON, owner: String) {
            self.job = job
            self.payload = payload
            self.owner = owner
        }
    }

    /// Takes jobs of a kind that are due, the longest waiting first.
    ///
    /// Right on every engine: what is picked is picked once, in a table expression that is worked
    /// out once (a plain subquery with LIMIT may be asked again for each row), and the row's own
    /// state is asked again when it is changed, so that of two nodes that have picked the same job
    /// the second to change it finds it running. There they may wait for each other for a moment.
    ///
    /// - Parameter owner: a name that is given to no other claim, whoever makes it.
    package func claim(
        _ kind: String, atMost most: Int, owner: String, until end: Timestamp, at now: Timestamp
    ) throws(Problem) -> [Claim] {
        let claims = try db.rows(
            """
            WITH due AS MATERIALIZED (
                SELECT id FROM jobs
                WHERE state = 'queued' AND kind = \(kind) AND run_at <= \(now)
                ORDER BY run_at, id LIMIT \(most))
            UPDATE jobs SET state = 'running', attempts = attempts + 1, locked_by = \(owner),
                locked_until = \(end)
            WHERE state = 'queued' AND id IN (SELECT id FROM due)
            RETURNING \(raw: Self.columns), payload_json
            """
        ) { row throws(Problem) in
            Claim(
                job: try Self.decode(&row), payload: Self.payload(try row.text()), owner: owner)
        }
        return claims.sorted { ($0.job.runAt, $0.job.id) < ($1.job.runAt, $1.job.id) }
    }

    /// One that cannot be read is null, and its kind refuses it: it must not hold up all others.
    private static func payload(_ text: String) -> JSON {
        do {
            return try JSONParser.parse(Array(text.utf8))
        } catch {
            return .null
        }
    }

    /// The row that a claim still stands for.
    private static func held(_ claim: Claim) -> SQL {
        "id = \(claim.job.id) AND state = 'running' AND locked_by = \(claim.owner)"
    }

    /// Moves the end of a lease on. False when it was lost meanwhile.
    package func renew(_ claim: Claim, until end: Timestamp) throws(Problem) -> Bool {
        try db.execute(
            "UPDATE jobs SET locked_until = \(end) WHERE \(Self.held(claim))") == 1
    }

    /// The work is done; what it was given is erased, since it may hold a secret. False, as below,
    /// when the lease was lost meanwhile, and then nothing is changed.
    package func complete(_ claim: Claim, at now: Timestamp) throws(Problem) -> Bool {
        try db.execute(
            """
            UPDATE jobs SET state = 'done', payload_json = '{}', locked_by = NULL,
                locked_until = NULL, finished_at = \(now)
            WHERE \(Self.held(claim))
            """) == 1
    }

    /// The try has failed: the job waits until `next`, or dies without one.
    package func fail(
        _ claim: Claim, error: String, next: Timestamp?, at now: Timestamp
    ) throws(Problem) -> Bool {
        let state: Job.State = next == nil ? .dead : .queued
        return try db.execute(
            """
            UPDATE jobs SET state = \(state.rawValue), run_at = \(next ?? claim.job.runAt),
                locked_by = NULL, locked_until = NULL, last_error = \(error),
                finished_at = \(next == nil ? now : nil)
            WHERE \(Self.held(claim))
            """) == 1
    }

    /// Gives the job back as if it had not been begun: another start goes on with it.
    package func release(_ claim: Claim, at now: Timestamp) throws(Problem) -> Bool {
        try db.execute(
            """
            UPDATE jobs SET state = 'queued', run_at = \(now), attempts = attempts - 1,
                locked_by = NULL, locked_until = NULL
            WHERE \(Self.held(claim))
            """) == 1
    }

    /// Takes jobs back whose lease has run out, and with `ofEverybody` all that run: on a store
    /// that one process owns, whoever held them is dead. They run again at once, or are dead when
    /// that was their last try, so that a job which kills its process does not do it for ever.
    ///
    /// - Parameter kept: those that this process runs itself, whatever the clock says.
    package func takeBack(
        ofEverybody: Bool = false, except kept: [JobID] = [], at now: Timestamp
    ) throws(Problem) -> Int {
        var conditions: SQL = "state = 'running'"
        if !ofEverybody { conditions += " AND locked_until <= \(now)" }
        for id in kept { conditions += " AND id <> \(id)" }
        return try db.execute(
            """
            UPDATE jobs SET
                state = CASE WHEN attempts < attempts_max THEN 'queued' ELSE 'dead' END,
                finished_at = CASE WHEN attempts < attempts_max THEN NULL ELSE \(now) END,
                run_at = \(now), locked_by = NULL, locked_until = NULL,
                last_error = 'The process ended while it ran.'
            WHERE \(conditions)
            """)
    }

    /// When the first of a kind is due; nil when none waits.
    package func nextRun(of kind: String) throws(Problem) -> Timestamp? {
        try db.first(
            """
            SELECT run_at FROM jobs WHERE state = 'queued' AND kind = \(kind)
            ORDER BY run_at, id LIMIT 1
            """
        ) { row throws(Problem) in try row.timestamp() }
    }

    /// When the first lease runs out that is not one of these; nil when there is none.
    package func nextLeaseEnd(except kept: [JobID]) throws(Problem) -> Timestamp? {
        var conditions: SQL = "state = 'running'"
        for id in kept { conditions += " AND id <> \(id)" }
        return try db.first("SELECT min(locked_until) FROM jobs WHERE \(conditions)") {
            row throws(Problem) in try row.optionalTimestamp()
        } ?? nil
    }

    // MARK: Looking after them

    package struct Filter: Sendable {
        package var kind: String?
        package var state: Job.State?

        package init(kind: String? = nil, state: Job.State? = nil) {
            self.kind = kind
            self.state = state
        }
    }

    package func list(_ filter: Filter, _ page: Page) throws(Problem) -> [Job] {
        var conditions: SQL = "id < \(page.bound)"
        if let kind = filter.kind { conditions += " AND kind = \(kind)" }
        if let state = filter.state { conditions += " AND state = \(state.rawValue)" }
        return try db.rows(
            """
            SELECT \(raw: Self.columns) FROM jobs WHERE \(conditions)
            ORDER BY id DESC LIMIT \(page.limit)
            """
        ) { row throws(Problem) in try Self.decode(&row) }
    }

    package func find(_ id: JobID) throws(Problem) -> Job? {
        try db.first("SELECT \(raw: Self.columns) FROM jobs WHERE id = \(id)") {
            row throws(Problem) in try Self.decode(&row)
        }
    }

    /// Makes a dead job, or one that waits for a later moment, run now, with all its tries before
    /// it. Nil, and nothing is written, for any other, and for a dead one whose unique key another
    /// has taken over.
    package func retry(_ id: JobID, at now: Timestamp) throws(Problem) -> Job? {
        let job = try db.first(
            """
            UPDATE jobs SET state = 'queued', run_at = \(now), attempts = 0, finished_at = NULL
            WHERE id = \(id) AND (state = 'dead' OR (state = 'queued' AND run_at > \(now)))
                AND NOT EXISTS (
                    SELECT 1 FROM jobs o WHERE o.unique_key = jobs.unique_key
                        AND o.state IN ('queued', 'running') AND o.id <> jobs.id)
            RETURNING \(raw: Self.columns)
            """
        ) { row throws(Problem) in try Self.decode(&row) }
        if job != nil { db.didEnqueue() }
        return job
    }

    package struct Count: Equatable, Sendable {
        package let kind: String
        package let state: Job.State
        package let count: Int64

        package init(kind: String, state: Job.State, count: Int64) {
            self.kind = kind
            self.state = state
            self.count = count
        }
    }

    /// How many wait, run and are dead, by kind; those that are done are not counted.
    package func counts() throws(Problem) -> [Count] {
        try db.rows(
            """
            SELECT kind, state, count(*) FROM jobs WHERE state <> 'done'
            GROUP BY kind, state ORDER BY kind, state
            """
        ) { row throws(Problem) in
            Count(
                kind: try row.text(), state: try row.parsed(Job.State.init),
                count: try row.integer())
        }
    }

    /// Removes what was done or died before a moment, but for the last one of each schedule.
    package func prune(
        _ state: Job.State, finishedBefore moment: Timestamp, atMost most: Int
    ) throws(Problem) -> Int {
        // Ids tell when a job was made: what was made later cannot have finished before.
        let bound = JobID(high: UInt64(max(0, moment.milliseconds)) << 16, low: 0)
        return try db.execute(
            """
            DELETE FROM jobs WHERE id IN (
                SELECT id FROM jobs
                WHERE state = \(state.rawValue) AND id < \(bound) AND finished_at < \(moment)
                    AND id NOT IN (
                        SELECT last_job_id FROM schedules WHERE last_job_id IS NOT NULL)
                ORDER BY id LIMIT \(most))
            """)
    }
}
