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

    /// The next number of a sequence: 1, 2, 3 …; a number is used up once its transaction commits.
    package func next(_ sequence: String) throws(Problem) -> Int64 {
        let number = try db.first(
            """
            INSERT INTO installation (name, value) VALUES (\(sequence), '1')
            ON CONFLICT (name) DO UPDATE
                SET value = CAST(CAST(installation.value AS BIGINT) + 1 AS TEXT)
            RETURNING value
            """
        ) { row throws(Problem) in try row.parsed(try row.text()) { Int64($0) } }
        guard let number else { throw .internal(cause: "installation.\(sequence) did not move") }
        return number
    }
}
