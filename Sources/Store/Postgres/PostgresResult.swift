import CPostgres
import Glibc

/// What the server answered to one statement; also the row that is being read.
///
/// Values come as text: it reads a count, a sum (which is NUMERIC there) and a column alike, where
/// the binary form of each type is another. What is saved by the binary form is the hex of hashes,
/// 32 bytes in a row.
final class PostgresResult: Cells {
    private let handle: OpaquePointer
    var row: Int32 = 0

    init(_ handle: OpaquePointer) { self.handle = handle }

    deinit { PQclear(handle) }

    /// Nil when the statement ran; one that was skipped since another before it failed has a code
    /// too, and that other one comes first.
    var error: PostgresError? {
        switch PQresultStatus(handle) {
        case PGRES_COMMAND_OK, PGRES_TUPLES_OK: nil
        default: PostgresError(result: handle)
        }
    }

    var rowCount: Int32 { PQntuples(handle) }

    /// Rows that the statement changed or found.
    var changes: Int { Int(String(cString: PQcmdTuples(handle))) ?? 0 }

    /// Such as COMMIT, or ROLLBACK where a commit came to one.
    var tag: String { String(cString: PQcmdStatus(handle)) }

    func isNull(_ column: Int32) -> Bool { PQgetisnull(handle, row, column) == 1 }

    func integer(_ column: Int32) -> Int64 {
        Int64(strtoll(PQgetvalue(handle, row, column), nil, 10))
    }

    func text(_ column: Int32) -> String {
        guard let text = PQgetvalue(handle, row, column) else { return "" }
        let bytes = UnsafeRawBufferPointer(
            start: text, count: Int(PQgetlength(handle, row, column)))
        return String(decoding: bytes, as: UTF8.self)
    }

    func bytes(_ column: Int32) -> [UInt8] {
        guard let text = PQgetvalue(handle, row, column) else { return [] }
        var count = 0
        return text.withMemoryRebound(to: UInt8.self, capacity: 1) { escaped in
            // Reads both forms that a role's bytea_output may ask for.
            guard let decoded = PQunescapeBytea(escaped, &count) else { return [] }
            defer { PQfreemem(decoded) }
            return Array(UnsafeBufferPointer(start: decoded, count: count))
        }
    }
}
