import Domain

/// How transactions begin and end. What they set is theirs alone, for a pooler hands the session to
/// others between them.
extension PostgresConnection {
    /// In milliseconds.
    private var settings: String {
        """
        SELECT set_config('statement_timeout', '\(timeouts.statement.wholeMilliseconds)', true), \
        set_config('lock_timeout', '\(timeouts.lock.wholeMilliseconds)', true), \
        set_config('idle_in_transaction_session_timeout', \
        '\(timeouts.idle.wholeMilliseconds)', true)
        """
    }

    /// Written is on the disk when COMMIT returns, also where a database's default says otherwise.
    private static let durable = """
        SELECT CASE current_setting('synchronous_commit') WHEN 'off' \
        THEN set_config('synchronous_commit', 'on', true) END
        """

    /// The turn of who writes: "GATE", and the schema, since installations may share a database.
    private static let turn: SQL = """
        SELECT CAST(pg_current_xact_id() AS text), pg_advisory_xact_lock(1195463749,
            coalesce(CAST(CAST(to_regnamespace(quote_ident(current_schema())) AS oid) AS int4), 0))
        """

    /// Begins a transaction and waits for its turn: from here to its end no other transaction that
    /// writes runs on any node, so each statement sees all that was written before.
    ///
    /// - Parameter holder: who has to have the store (`PostgresClaim`).
    /// - Returns: the transaction's id, by which `pg_xact_status` tells later what became of it.
    func beginWriting(as holder: String? = nil) throws(PostgresError) -> String {
        putOff("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE")
        putOff(settings)
        putOff(Self.durable)
        let results = try run(holder == nil ? [Self.turn] : [Self.turn, PostgresClaim.holder])
        guard let turn = results.dropLast(holder == nil ? 0 : 1).last, turn.rowCount == 1 else {
            throw PostgresError(
                state: PostgresError.Code.connectionFailure, message: "a transaction has no id")
        }
        // Looked at in the turn: nobody can take the store over before this transaction ends.
        if let holder, let found = results.last {
            guard found.rowCount == 1, found.text(0) == holder else {
                throw PostgresError(
                    state: PostgresError.Code.notHolder,
                    message: "another process has taken the store over")
            }
        }
        return turn.text(0)
    }

    /// One snapshot for all that is read. Goes with the first statement.
    func beginReading() {
        putOff("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        putOff(settings)
    }

    func commit() throws(PostgresError) {
        // COMMIT of a transaction that has failed succeeds, and rolls it back.
        guard try run("COMMIT").tag == "COMMIT" else {
            throw PostgresError(
                state: PostgresError.Code.failedTransaction,
                message: "the transaction was rolled back in place of being committed")
        }
    }

    /// After a failure the connection is of use again, or `isLost`.
    func rollBack() {
        guard !isLost else { return }
        forgetFailure()
        do throws(PostgresError) {
            try run("ROLLBACK")
        } catch {
            // It is lost then; the server ends the transaction of a connection that is gone.
        }
    }

    /// What became of a transaction whose COMMIT had no answer: true when it was committed, false
    /// when it never will be. Nil while the server has not ended it, or no longer knows.
    func wasCommitted(_ id: String) throws(PostgresError) -> Bool? {
        switch try text("SELECT pg_xact_status(CAST(\(id) AS xid8))") {
        case "committed": true
        case "aborted": false
        case _: nil
        }
    }
}
