import CSQLite
import Domain

/// A failed call of the C library, told by its extended result code, never by its text.
struct SQLiteError: Error {
    let code: Int32
    let message: String

    init(code: Int32, handle: OpaquePointer?) {
        self.code = code
        message = handle.map { String(cString: sqlite3_errmsg($0)) } ?? "not a Gatehouse store"
    }

    /// Result codes: sqlite.org/rescode.html. The client learns whether waiting helps; the rest is
    /// for the log.
    var problem: Problem {
        let cause = "SQLite \(code): \(message)"
        switch code & 0xFF {
        case SQLITE_BUSY, SQLITE_LOCKED:
            return .unavailable("The store is busy.", cause: cause, retryAfter: .seconds(1))
        case SQLITE_INTERRUPT:
            return .unavailable("The store took too long.", cause: cause, retryAfter: .seconds(1))
        case SQLITE_FULL:
            return .unavailable("The store's disk is full.", cause: cause)
        case SQLITE_IOERR, SQLITE_READONLY, SQLITE_CANTOPEN, SQLITE_NOMEM:
            return .unavailable("The store cannot be reached.", cause: cause)
        default:
            return .internal(cause: cause)
        }
    }
}

extension Problem {
    /// The store cannot serve this now, and nothing was written.
    static func unavailable(
        _ detail: String, cause: String, retryAfter: Duration = .seconds(5)
    ) -> Problem {
        var problem = Problem(.unavailable, detail)
        problem.cause = cause
        problem.retryAfter = retryAfter
        return problem
    }
}

/// Why an installation's store was not opened. Each is a state that an operator can mend, so each
/// says what to do.
package enum StoreRefusal: Error, Equatable, CustomStringConvertible {
    /// Another process owns it.
    case inUse(String)
    case damaged(String)
    /// Written by a newer version of this program.
    case newerSchema(String)
    case cannotCreate(String)
    /// A file system, a library or a server that cannot keep it whole.
    case unsuitable(String)
    /// The server does not answer, or does not let us in.
    case unreachable(String)

    package var description: String {
        switch self {
        case .inUse(let text), .damaged(let text), .newerSchema(let text),
            .cannotCreate(let text), .unsuitable(let text), .unreachable(let text):
            text
        }
    }
}
