import CPostgres
import Domain

/// A failed call of libpq, told by its SQLSTATE, never by its text
/// (postgresql.org/docs/current/errcodes-appendix.html).
struct PostgresError: Error {
    /// Five characters; those of `Code` where libpq has none.
    let state: String
    /// For the log: the server's first line and the constraint, without the row.
    let message: String
    /// The connection is of no use any more: it broke, the server is going, or it is no longer the
    /// one that takes writes.
    let isLost: Bool

    enum Code {
        /// connection_failure: what libpq reports without a code.
        static let connectionFailure = "08006"
        static let lockNotAvailable = "55P03"
        static let queryCanceled = "57014"
        static let serializationFailure = "40001"
        static let deadlockDetected = "40P01"
        static let diskFull = "53100"
        static let duplicateTable = "42P07"
        /// Our own, as no class of the server's begins so.
        static let notHolder = "GH001"
        /// in_failed_sql_transaction
        static let failedTransaction = "25P02"
    }

    /// Codes with which the session ends or ought to: admin_shutdown, crash_shutdown,
    /// cannot_connect_now, database_dropped, idle_session_timeout, of an idle transaction too, and
    /// read_only_sql_transaction, which a primary answers that has become a standby.
    private static let ending: Set<String> = [
        "57P01", "57P02", "57P03", "57P04", "57P05", "25P03", "25006",
    ]

    init(state: String, message: String) {
        self.state = state
        self.message = message
        isLost = state.hasPrefix("08") || Self.ending.contains(state)
    }

    /// Of a result that is an error.
    init(result: OpaquePointer) {
        let state = gatehouse_sqlstate(result).map { String(cString: $0) }
        let text = gatehouse_error_text(result).map { String(cString: $0) }
        let constraint = gatehouse_constraint(result).map { " (\(String(cString: $0)))" } ?? ""
        self.init(
            state: state ?? Code.connectionFailure,
            message: (text ?? "no result from the server") + constraint)
    }

    /// A call that failed without a result.
    init(connection: OpaquePointer?) {
        let text = connection.map { String(cString: PQerrorMessage($0)) } ?? "no memory"
        self.init(
            state: Code.connectionFailure,
            message: text.split(separator: "\n").joined(separator: "; "))
    }

    /// A transaction that ends so is as if it had not begun, and may succeed when it begins again.
    var isTransient: Bool {
        state == Code.serializationFailure || state == Code.deadlockDetected
    }

    /// The client learns whether waiting helps; the rest is for the log.
    var problem: Problem {
        let cause = "PostgreSQL \(state): \(message)"
        if isLost { return .unavailable("The store cannot be reached.", cause: cause) }
        switch state {
        case Code.lockNotAvailable, Code.serializationFailure, Code.deadlockDetected:
            return .unavailable("The store is busy.", cause: cause, retryAfter: .seconds(1))
        case Code.queryCanceled:
            return .unavailable("The store took too long.", cause: cause, retryAfter: .seconds(1))
        case Code.notHolder:
            return .unavailable("The store cannot be reached.", cause: cause)
        case Code.diskFull:
            return .unavailable("The store's disk is full.", cause: cause)
        // insufficient_resources, system_error: nothing that the statement could have done.
        case let code where code.hasPrefix("53") || code.hasPrefix("58"):
            return .unavailable("The store cannot be reached.", cause: cause)
        default:
            return .internal(cause: cause)
        }
    }
}
