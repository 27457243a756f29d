import Domain
import Store
import Testing

@Suite("Constraints of the schema")
struct ConstraintTests {
    /// SQLite's extended result codes (sqlite.org/rescode.html); PostgreSQL's SQLSTATEs.
    private enum Code {
        case check, foreignKey, notNull

        var beginning: String {
            switch (self, Engine.current ?? .sqlite) {
            case (.check, .sqlite): "SQLite 275:"
            case (.foreignKey, .sqlite): "SQLite 787:"
            case (.notNull, .sqlite): "SQLite 1299:"
            case (.check, .postgres): "PostgreSQL 23514:"
            case (.foreignKey, .postgres): "PostgreSQL 23503:"
            case (.notNull, .postgres): "PostgreSQL 23502:"
            }
        }
    }

    private static let badValues: [String: [String: [String]]] = [
        "users": [
            "role": ["'root'", "''", "'Admin'"], "is_active": ["2", "-1"],
            "email_verified": ["2"], "totp_enabled": ["2"], "token_version": ["0", "-1"],
        ],
        "one_time_tokens": ["purpose": ["'login'", "''"]],
        "sessions": ["generation": ["0", "-1"]],
        "refresh_tokens": ["generation": ["0"], "revoked": ["2"]],
        "plans": ["self_service": ["2"], "is_default": ["2"]],
        "subscriptions": ["status": ["'paused'", "''"]],
        "usage_counters": ["granularity": ["'week'", "''"], "value": ["-1"]],
        "quota_alerts": ["granularity": ["'hour'", "''"], "threshold": ["0", "90"]],
        "usage_events": ["value": ["-1"]],
        "reservations": [
            "state": ["'lost'", "''"], "amount": ["-1"], "settled_amount": ["-1"],
        ],
        "leases": ["fencing_token": ["0", "-1"]],
        "activity": ["granularity": ["'month'", "''"], "value": ["-1"]],
        "jobs": ["state": ["'lost'", "''"], "attempts": ["-1"], "attempts_max": ["0", "-1"]],
        "nodes": ["beat": ["0", "-1"]],
        "idempotency_keys": ["status": ["99", "600", "0", "-200"]],
    ]

    /// CHECKs of more than one column: `settlements` and `holds` test them.
    private static let checksOfRows = 5

    /// What inserting this row, spoilt, ends with. The rows before it are there; nothing is kept.
    private static func refusal(
        of spoilt: SQL, instead table: String, in store: some Database
    ) async -> String? {
        // Here, and not on the store's thread, it is known which engine it is.
        let good = GoodRow.all.prefix(while: { $0.table != table }).map { $0.insertion() }
        return await store.refusal { db throws(Problem) in
            for row in good { try db.execute(row) }
            try db.execute(spoilt)
            throw .internal(cause: "was taken")
        }?.cause
    }

    @Test("The rows that the other tests spoil are good")
    func good() async throws {
        try await withStore { db in
            let good = GoodRow.all.map { $0.insertion() }
            try await db.write { db throws(Problem) in for row in good { try db.execute(row) } }
        }
    }

    @Test("Every CHECK refuses what it is there for", arguments: badValues.keys.sorted())
    func checks(table: String) async throws {
        let row = try #require(GoodRow.all.first { $0.table == table })
        try await withStore { db in
            for (column, literals) in Self.badValues[table] ?? [:] {
                for literal in literals {
                    let spoilt = row.insertion(column, literal)
                    let cause = await Self.refusal(of: spoilt, instead: table, in: db)
                    #expect(
                        cause?.hasPrefix(Code.check.beginning) == true,
                        "\(column) = \(literal): \(cause ?? "taken")")
                }
            }
        }
    }

    @Test("No CHECK of the schema is without a bad value here")
    func complete() async throws {
        try await withSQLiteStore { db, _ in
            let schema = try await db.texts("SELECT sql FROM sqlite_schema WHERE sql NOTNULL")
            let checks = schema.map { $0.split(separator: "CHECK (").count - 1 }.reduce(0, +)
            let tested = Self.badValues.values.map(\.count).reduce(0, +) + Self.checksOfRows
            #expect(checks == tested)
            #expect(checks > 20)
        }
    }

    @Test("A reservation has an amount where it is committed, and a time where it is settled")
    func settlements() async throws {
        let row = try #require(GoodRow.all.first { $0.table == "reservations" })
        let good: Set = ["'held' NULL NULL", "'committed' 1 2", "'released' NULL 2"]
        try await withStore { db in
            // With a time and no amount nothing but its own CHECK refuses 'lost'.
            for state in ["'held'", "'committed'", "'released'", "'lost'"] {
                for (amount, time) in [("NULL", "NULL"), ("NULL", "2"), ("1", "NULL"), ("1", "2")] {
                    let spoilt = row.insertion([
                        "state": state, "settled_amount": amount, "settled_at": time,
                    ])
                    let what = "\(state) \(amount) \(time)"
                    let cause = await Self.refusal(of: spoilt, instead: row.table, in: db)
                    let expected = good.contains(what) ? "was taken" : Code.check.beginning
                    #expect(cause?.hasPrefix(expected) == true, "\(what): \(cause ?? "none")")
                }
            }
        }
    }

    @Test("A job has a holder and an end of its lease where it runs, an end where it is over")
    func holds() async throws {
        let row = try #require(GoodRow.all.first { $0.table == "jobs" })
        let good: Set = [
            "'queued' NULL NULL NULL", "'running' 'b' 2 NULL", "'done' NULL NULL 3",
            "'dead' NULL NULL 3",
        ]
        let leases = [("NULL", "NULL"), ("NULL", "2"), ("'b'", "NULL"), ("'b'", "2")]
        try await withStore { db in
            for state in ["'queued'", "'running'", "'done'", "'dead'"] {
                for ((holder, end), finished) in leases.flatMap({ [($0, "NULL"), ($0, "3")] }) {
                    let spoilt = row.insertion([
                        "state": state, "locked_by": holder, "locked_until": end,
                        "finished_at": finished,
                    ])
                    let what = "\(state) \(holder) \(end) \(finished)"
                    let cause = await Self.refusal(of: spoilt, instead: row.table, in: db)
                    let expected = good.contains(what) ? "was taken" : Code.check.beginning
                    #expect(cause?.hasPrefix(expected) == true, "\(what): \(cause ?? "none")")
                }
            }
        }
    }

    private static func required(in table: String) -> SQL {
        switch Engine.current ?? .sqlite {
        case .sqlite: "SELECT name FROM pragma_table_info(\(table)) WHERE \"notnull\" = 1"
        case .postgres:
            """
            SELECT column_name FROM information_schema.columns
            WHERE table_schema = current_schema() AND table_name = \(table)
                AND is_nullable = 'NO' AND is_generated = 'NEVER'
            """
        }
    }

    @Test("No column that must have a value takes NULL", arguments: GoodRow.all.map(\.table))
    func notNull(table: String) async throws {
        let row = try #require(GoodRow.all.first { $0.table == table })
        try await withStore { db in
            let required = try await db.texts(Self.required(in: table))
            // One that is generated is none that can be inserted.
            #expect(required.count > 1)
            for column in required {
                let cause = await Self.refusal(
                    of: row.insertion(column), instead: table, in: db)
                // NULL in an INTEGER primary key is the next number, by SQLite's rule.
                let isNumbered =
                    Engine.current == .sqlite && table == "audit_logs" && column == "sequence"
                let expected = isNumbered ? "was taken" : Code.notNull.beginning
                #expect(cause?.hasPrefix(expected) == true, "\(column): \(cause ?? "taken")")
            }
        }
    }

    /// SQLite's STRICT tables; the columns of PostgreSQL have no other way.
    @Test("No column takes a value of another type", arguments: GoodRow.all.map(\.table))
    func types(table: String) async throws {
        let row = try #require(GoodRow.all.first { $0.table == table })
        try await withSQLiteStore { db, _ in
            for (column, literal) in row.values {
                // Text is no number and no BLOB, and no number of SQLite turns into a BLOB.
                let wrong = Int(literal) != nil ? "'many'" : literal.hasPrefix("x") ? "1" : "x'01'"
                let cause = await Self.refusal(
                    of: row.insertion(column, wrong), instead: table, in: db)
                // An INTEGER primary key is the rowid, which has an error of its own (20).
                let isRowID = table == "audit_logs" && column == "sequence"
                let expected = isRowID ? "SQLite 20:" : "SQLite 3091:"
                #expect(
                    cause?.hasPrefix(expected) == true,
                    "\(column) = \(wrong): \(cause ?? "taken")")
            }
        }
    }

    @Test(
        "What belongs to a row needs that row",
        arguments: [
            ("one_time_tokens", "user_id"), ("sessions", "user_id"),
            ("refresh_tokens", "user_id"), ("refresh_tokens", "session_id"),
            ("subscriptions", "user_id"), ("subscriptions", "plan_id"), ("api_keys", "user_id"),
            ("usage_counters", "user_id"), ("usage_events", "user_id"),
            ("reservations", "user_id"), ("leases", "user_id"), ("items", "user_id"),
        ])
    func references(table: String, column: String) async throws {
        let row = try #require(GoodRow.all.first { $0.table == table })
        try await withStore { db in
            let cause = await Self.refusal(
                of: row.insertion(column, "'nobody'"), instead: table, in: db)
            #expect(cause?.hasPrefix(Code.foreignKey.beginning) == true, "\(cause ?? "taken")")
        }
    }
}
