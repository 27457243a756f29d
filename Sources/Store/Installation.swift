import Domain

extension Connection {
    package var installation: Installation { Installation(db: self) }
}

/// The `installation` table: single values about the whole.
package struct Installation {
    let db: any Connection

    package func value(_ name: String) throws(Problem) -> String? {
        try db.first("SELECT value FROM installation WHERE name = \(name)") {
            row throws(Problem) in try row.text()
        }
    }

    package func set(_ name: String, _ value: String) throws(Problem) {
        try db.execute(
            """
            INSERT INTO installation (name, value) VALUES (\(name), \(value))
            ON CONFLICT (name) DO UPDATE SET value = excluded.value
            """)
    }

    package func remove(_ name: String) throws(Problem) {
        try db.execute("DELETE FROM installation WHERE name = \(name)")
    }

    /// The next number of a sequence: 1, 2, 3 …; a number is used up once its transaction commits.
    package func next(_ sequence: String) throws(Problem) -> Int64 {
        guard let last = Int64(try value(sequence) ?? "0"), last < Int64.max else {
            throw .internal(cause: "installation.\(sequence) cannot go on")
        }
        try set(sequence, String(last + 1))
        return last + 1
    }
}
