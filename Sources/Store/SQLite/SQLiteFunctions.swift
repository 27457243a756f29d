import CSQLite
import Domain

extension SQLiteConnection {
    /// Makes `lower` know all letters, as it does in PostgreSQL: SQLite's own knows ASCII alone,
    /// and a search for `ügur` would not find `Ügur`. No index and no column is made with it, so
    /// files stay readable without it.
    func defineFunctions() throws(SQLiteError) {
        let lower:
            @convention(c) (
                OpaquePointer?, Int32, UnsafeMutablePointer<OpaquePointer?>?
            ) -> Void = { context, _, arguments in
                guard let value = arguments?[0], let text = sqlite3_value_text(value) else {
                    return sqlite3_result_null(context)
                }
                let count = Int(sqlite3_value_bytes(value))
                let bytes = UnsafeBufferPointer(start: text, count: count)
                var lowered = Text.lowered(String(decoding: bytes, as: UTF8.self))
                lowered.withUTF8 { utf8 in
                    utf8.withMemoryRebound(to: CChar.self) { chars in
                        gatehouse_result_text(context, chars.baseAddress, Int32(chars.count))
                    }
                }
            }
        try check(
            sqlite3_create_function_v2(
                handle, "lower", 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS, nil,
                lower, nil, nil, nil))
    }
}
