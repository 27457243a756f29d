import CPostgres
import Domain
import Glibc

/// One connection of libpq and its prepared statements. Used by one thread at a time.
///
/// Always in pipeline mode: whatever is sent goes in one trip with what was put off before it
/// (BEGIN, SAVEPOINT, a statement's first preparation), and one Sync ends it. A transaction thus
/// costs a trip for each statement of its body and one for COMMIT, and rows that are written many
/// at once cost one for hundreds.
///
/// Behind a pooler that lends a server for a transaction (PgBouncer), nothing may be kept in the
/// session: settings are those of a transaction, locks too, and statements have no names. Whether
/// there is one shows at once: it answers with a process id that is not the server's.
final class PostgresConnection: Connection {
    private let handle: OpaquePointer
    private let keepsStatements: Bool
    /// Text and name. All statements of this program are fewer; what comes after is not kept.
    private var names: [String: String] = [:]
    private var nameCount = 0
    private static let namesMax = 256

    /// Statements of the driver's own that go with the next one.
    private var leading: [String] = []
    /// The first statement of the running unit that failed: on this engine all that follow would
    /// fail too.
    private(set) var failure: PostgresError?
    private(set) var isLost = false
    let timeouts: PostgresOptions.Timeouts
    private var hasEnqueued = false

    /// Rows of one trip: some 100 KB, which both ends keep in memory.
    private static let rowsEach = 500

    init(_ options: PostgresOptions) throws(PostgresError) {
        timeouts = options.timeouts
        let parameters = try options.parametersNow()
        var keywords = parameters.keys.map { strdup($0) }
        var values = parameters.values.map { strdup($0) }
        defer { for text in keywords + values { free(text) } }
        keywords.append(nil)
        values.append(nil)
        let connected = PQconnectdbParams(
            keywords.map { UnsafePointer($0) }, values.map { UnsafePointer($0) }, 0)
        guard let connected, PQstatus(connected) == CONNECTION_OK else {
            let error = PostgresError(connection: connected)
            PQfinish(connected)
            throw error
        }
        handle = connected
        gatehouse_ignore_notices(handle)
        guard PQsetnonblocking(handle, 1) == 0, PQenterPipelineMode(handle) == 1 else {
            let error = PostgresError(connection: handle)
            PQfinish(handle)
            throw error
        }
        let ownID: String
        do throws(PostgresError) {
            ownID = try Self.ask("SELECT pg_backend_pid()", on: handle, timeouts.answer)
        } catch {
            PQfinish(handle)
            throw error
        }
        keepsStatements = ownID == String(PQbackendPID(handle))
    }

    deinit { PQfinish(handle) }

    // MARK: Connection

    func rows<Value>(
        _ sql: SQL, _ decode: (inout Row) throws(Problem) -> Value
    ) throws(Problem) -> [Value] {
        let result: PostgresResult
        do throws(PostgresError) {
            result = try run(sql)
        } catch {
            throw error.problem
        }
        var found: [Value] = []
        found.reserveCapacity(Int(result.rowCount))
        for index in 0..<result.rowCount {
            result.row = index
            var row = Row(result)
            found.append(try decode(&row))
        }
        return found
    }

    @discardableResult
    func execute(_ sql: SQL) throws(Problem) -> Int {
        do throws(PostgresError) {
            return try run(sql).changes
        } catch {
            throw error.problem
        }
    }

    func execute(_ sql: SQL, each rows: [[SQL.Value]]) throws(Problem) {
        var rest = rows[...]
        do throws(PostgresError) {
            while !rest.isEmpty {
                let part = rest.prefix(Self.rowsEach)
                rest = rest.dropFirst(Self.rowsEach)
                try trip { trip throws(PostgresError) in
                    for row in part { try send(sql.text, row, &trip) }
                }
            }
        } catch {
            throw error.problem
        }
    }

    func didEnqueue() { hasEnqueued = true }

    /// Whether jobs were enqueued since this was asked last.
    func takeEnqueued() -> Bool {
        defer { hasEnqueued = false }
        return hasEnqueued
    }

    // MARK: For the driver itself

    /// A statement of the driver's own that goes with the next trip.
    func putOff(_ text: String) { leading.append(text) }

    /// Forgets the failed statement, since what comes next rolls it back.
    func forgetFailure() { failure = nil }

    /// Sends what was put off, and this.
    @discardableResult
    func run(_ sql: SQL) throws(PostgresError) -> PostgresResult {
        guard let last = try run([sql]).last else { throw lose("no result from the server") }
        return last
    }

    /// Sends what was put off, and these; the results end with theirs.
    func run(_ statements: [SQL]) throws(PostgresError) -> [PostgresResult] {
        try trip { trip throws(PostgresError) in
            for sql in statements { try send(sql.text, sql.values, &trip) }
        }
    }

    /// The first column of the first row.
    func text(_ sql: SQL) throws(PostgresError) -> String? {
        let result = try run(sql)
        return result.rowCount == 0 || result.isNull(0) ? nil : result.text(0)
    }

    /// Waits until the connection ends; false when there is something to read on `other` before.
    func waitForEnd(or other: Int32) -> Bool {
        while true {
            var ends = [
                pollfd(fd: PQsocket(handle), events: Int16(POLLIN), revents: 0),
                pollfd(fd: other, events: Int16(POLLIN), revents: 0),
            ]
            guard poll(&ends, 2, -1) > 0 else { continue }
            if ends[1].revents != 0 { return false }
            // A message of the server's, such as that of a setting that was changed, is no end.
            guard PQconsumeInput(handle) == 1, PQstatus(handle) == CONNECTION_OK else {
                isLost = true
                return true
            }
        }
    }

    // MARK: Trips

    /// What is on its way to the server.
    private struct Trip {
        var count = 0
        /// Where in it a statement is prepared, and which.
        var preparing: [(index: Int, text: String)] = []
    }

    @discardableResult
    private func trip(
        _ fill: (inout Trip) throws(PostgresError) -> Void
    ) throws(PostgresError) -> [PostgresResult] {
        if let failure { throw failure }
        guard !isLost else { throw lose("the connection was lost") }
        var trip = Trip()
        for text in leading {
            try check(PQsendQueryParams(handle, text, 0, nil, nil, nil, nil, 0))
            trip.count += 1
        }
        leading = []
        try fill(&trip)
        try check(PQpipelineSync(handle))
        let results: [PostgresResult]
        do throws(PostgresError) {
            results = try Self.receive(trip.count, on: handle, timeouts.answer)
        } catch {
            isLost = true
            failure = error
            throw error
        }
        for (index, text) in trip.preparing where results[index].error != nil {
            names[text] = nil
        }
        // Those behind the first that failed were skipped.
        if let error = results.lazy.compactMap(\.error).first {
            isLost = error.isLost || PQstatus(handle) != CONNECTION_OK
            failure = error
            throw error
        }
        return results
    }

    private func send(
        _ text: String, _ values: [SQL.Value], _ trip: inout Trip
    ) throws(PostgresError) {
        let binding = PostgresBinding(values)
        if let name = names[text] {
            try check(binding.run(prepared: name, on: handle))
        } else if keepsStatements, names.count < Self.namesMax {
            nameCount += 1
            let name = "s\(nameCount)"
            try check(binding.prepare(text, as: name, on: handle))
            trip.preparing.append((trip.count, text))
            trip.count += 1
            names[text] = name
            try check(binding.run(prepared: name, on: handle))
        } else {
            try check(binding.run(text, on: handle))
        }
        trip.count += 1
    }

    private func check(_ succeeded: Int32) throws(PostgresError) {
        guard succeeded == 1 else {
            throw lose(String(cString: PQerrorMessage(handle)))
        }
    }

    /// What is on its way can no longer be told from what is not.
    private func lose(_ message: String) -> PostgresError {
        let error =
            failure ?? PostgresError(state: PostgresError.Code.connectionFailure, message: message)
        isLost = true
        failure = error
        return error
    }

    // MARK: Waiting

    /// One result for each statement of a trip, once they are all there.
    private static func receive(
        _ count: Int, on handle: OpaquePointer, _ patience: Duration
    ) throws(PostgresError) -> [PostgresResult] {
        let end = ContinuousClock.now + patience
        var results: [PostgresResult] = []
        // A NULL ends the results of each statement; a connection that broke has no end of them.
        var ends = 0
        while true {
            try wait(for: handle, until: end)
            guard let received = PQgetResult(handle) else {
                ends += 1
                guard ends <= count + 1, PQstatus(handle) == CONNECTION_OK else {
                    throw PostgresError(connection: handle)
                }
                continue
            }
            guard PQresultStatus(received) != PGRES_PIPELINE_SYNC else {
                PQclear(received)
                break
            }
            results.append(PostgresResult(received))
        }
        guard results.count == count else { throw PostgresError(connection: handle) }
        return results
    }

    /// Sends what libpq holds, and waits until it has a result.
    private static func wait(
        for handle: OpaquePointer, until end: ContinuousClock.Instant
    ) throws(PostgresError) {
        while true {
            let unsent = PQflush(handle)
            guard unsent >= 0 else { throw PostgresError(connection: handle) }
            if unsent == 0, PQisBusy(handle) == 0 { return }
            let left = (end - ContinuousClock.now).wholeMilliseconds
            guard left > 0 else {
                throw PostgresError(
                    state: PostgresError.Code.connectionFailure,
                    message: "the server did not answer in time")
            }
            var socket = pollfd(
                fd: PQsocket(handle), events: Int16(unsent == 1 ? POLLIN | POLLOUT : POLLIN),
                revents: 0)
            // An interrupted or an empty wait looks at the clock again.
            if poll(&socket, 1, Int32(min(left, 60_000))) > 0, PQconsumeInput(handle) == 0 {
                throw PostgresError(connection: handle)
            }
        }
    }

    /// A question before the connection is one.
    private static func ask(
        _ text: String, on handle: OpaquePointer, _ patience: Duration
    ) throws(PostgresError) -> String {
        guard PQsendQueryParams(handle, text, 0, nil, nil, nil, nil, 0) == 1,
            PQpipelineSync(handle) == 1
        else { throw PostgresError(connection: handle) }
        let results = try receive(1, on: handle, patience)
        if let error = results[0].error { throw error }
        return results[0].text(0)
    }
}
