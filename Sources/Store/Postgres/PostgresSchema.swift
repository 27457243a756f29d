import Domain

/// The schema's version in a database, and the way from one to the next. The steps are SQLite's,
/// read as PostgreSQL spells them. Holds a connection of its own.
final class PostgresSchema {
    /// The version that this program reads and writes.
    static var current: Int { Migration.all.count }

    /// The oldest server with `pg_current_xact_id`.
    private static let serverOldest: Int64 = 130_000

    private let connection: PostgresConnection
    private let place: String

    /// - Throws: `unreachable`; `unsuitable` for a server that cannot keep a store.
    init(_ options: PostgresOptions) throws(StoreRefusal) {
        place = options.place
        do throws(PostgresError) {
            var patient = options
            // A step may rebuild a large table.
            patient.timeouts.answer = .seconds(3600)
            connection = try PostgresConnection(patient)
        } catch {
            throw Self.refusal(of: error, at: options.place)
        }
        try check()
    }

    private func check() throws(StoreRefusal) {
        let version = try asking { () throws(PostgresError) in
            try connection.text("SELECT current_setting('server_version_num')")
        }
        guard let number = version.flatMap({ Int64($0) }), number >= Self.serverOldest else {
            throw .unsuitable("\(place) is too old; PostgreSQL 13 or newer is needed.")
        }
        let encoding = try asking { () throws(PostgresError) in
            try connection.text("SELECT current_setting('server_encoding')")
        }
        guard encoding == "UTF8" else {
            throw .unsuitable("\(place) keeps texts as \(encoding ?? "unknown"); UTF8 is needed.")
        }
        let schema = try asking { () throws(PostgresError) in
            try connection.text("SELECT current_schema()")
        }
        guard schema != nil else {
            throw .unsuitable("\(place): the search_path names no schema that is there.")
        }
    }

    /// 0 for a database without a store.
    func version() throws(StoreRefusal) -> Int {
        let found = try asking { () throws(PostgresError) -> Int? in
            // Not by `to_regclass`: what it remembers may be older than the turn that was waited
            // for.
            let table: SQL = """
                SELECT tablename FROM pg_tables
                WHERE schemaname = current_schema() AND tablename = 'schema_version'
                """
            guard try connection.text(table) != nil else { return 0 }
            return try connection.text("SELECT version FROM schema_version").flatMap { Int($0) }
        }
        guard let found, found >= 0 else {
            throw .damaged("\(place) does not say which version its schema is.")
        }
        guard found <= Self.current else {
            throw .newerSchema(
                "The store has schema version \(found); this program knows up to "
                    + "\(Self.current). Install a newer gatehouse.")
        }
        return found
    }

    /// Each step in a transaction of its own, and in a turn of its own, so that of several nodes
    /// that start at once one makes it and the others find it made.
    func migrate() throws(StoreRefusal) {
        while try version() < Self.current {
            try asking { () throws(PostgresError) in _ = try connection.beginWriting() }
            let version = try version()
            guard version < Self.current else { return connection.rollBack() }
            let migration = Migration.all[version]
            do throws(PostgresError) {
                connection.putOff("SET LOCAL statement_timeout = 0")
                if version == 0 {
                    connection.putOff("CREATE TABLE schema_version (version BIGINT NOT NULL)")
                    connection.putOff("INSERT INTO schema_version (version) VALUES (0)")
                }
                for statement in migration.statements {
                    connection.putOff(Self.translated(statement))
                }
                for statement in migration.onPostgres { connection.putOff(statement) }
                try connection.run("UPDATE schema_version SET version = \(version + 1)")
                try connection.commit()
            } catch {
                connection.rollBack()
                if error.state == PostgresError.Code.duplicateTable {
                    throw .unsuitable(
                        "\(place) has tables of another program's. Give Gatehouse a database, or "
                            + "a schema, of its own.")
                }
                throw .damaged(
                    "Migration \(version + 1) (\(migration.name)) failed: \(error.message)")
            }
        }
    }

    /// For a process that has the store for itself.
    func enter(_ claim: PostgresClaim) throws(StoreRefusal) {
        try asking { () throws(PostgresError) in try claim.enter(connection) }
    }

    private func asking<Value>(
        _ question: () throws(PostgresError) -> Value
    ) throws(StoreRefusal) -> Value {
        do throws(PostgresError) {
            return try question()
        } catch {
            throw Self.refusal(of: error, at: place)
        }
    }

    private static func refusal(of error: PostgresError, at place: String) -> StoreRefusal {
        .unreachable("\(place) cannot be used: \(error.message)")
    }

    /// A statement of a step in the words of PostgreSQL.
    ///
    /// Texts are compared byte by byte, as SQLite compares them: a list is then in the same order
    /// everywhere, and no index is wrong after an update of the system's locales.
    static func translated(_ statement: String) -> String {
        statement
            .replacing(#/\bINTEGER\b/#, with: "BIGINT")
            .replacing(#/\bBLOB\b/#, with: "BYTEA")
            .replacing(#/\bTEXT\b/#, with: "TEXT COLLATE \"C\"")
            .replacing(#/\)\s+STRICT(,\s+WITHOUT\s+ROWID)?\s*$/#, with: ")")
    }
}
