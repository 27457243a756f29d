import Domain
import Testing

@testable import Store

/// docs/data.md, Tables: the names that stand there.
@Suite("The schema of a fresh store")
struct SchemaTests {
    private static let tables: Set<String> = [
        "users", "second_factors", "recovery_codes", "one_time_tokens", "sessions",
        "refresh_tokens", "api_keys", "plans",
        "subscriptions", "usage_counters", "usage_events", "reservations", "leases",
        "idempotency_keys", "rate_states", "items", "audit_logs", "installation",
        "activity", "quota_alerts", "jobs", "schedules", "nodes", "changes",
    ]

    private static let indexes: Set<String> = [
        "users_by_role", "one_time_tokens_by_user", "one_time_tokens_by_end", "sessions_by_user",
        "sessions_by_end", "refresh_tokens_by_session", "refresh_tokens_by_user",
        "refresh_tokens_by_end", "api_keys_by_user", "plans_default", "subscriptions_active",
        "subscriptions_by_user", "subscriptions_by_plan", "subscriptions_by_end",
        "usage_counters_by_period", "usage_events_by_age", "reservations_by_user",
        "reservations_by_end", "leases_by_user", "leases_by_end", "idempotency_keys_by_age",
        "rate_states_by_age", "items_by_user", "audit_logs_by_actor", "audit_logs_by_target",
        "audit_logs_by_action", "users_inactive", "subscriptions_active_by_plan",
        "jobs_due", "jobs_unique", "jobs_by_state", "jobs_by_kind",
        "jobs_unfinished", "schedules_by_next", "usage_counters_of_keys", "quota_alerts_by_age",
        "guess_runs",
    ]

    /// Column by column what docs/data.md calls unique beside the primary keys.
    private static let uniques: Set<String> = [
        "users(email)", "api_keys(public_id)", "api_keys(previous_public_id)", "plans(slug)",
        "leases(fencing_token)", "audit_logs(id)",
    ]

    @Test("It has the tables and indexes of docs/data.md and nothing else")
    func names() async throws {
        try await withSQLiteStore { store, _ in
            func names(_ type: String) async throws -> Set<String> {
                Set(
                    try await store.texts(
                        """
                        SELECT name FROM sqlite_schema
                        WHERE type = \(type) AND name NOT LIKE 'sqlite_%'
                        """))
            }
            #expect(try await names("table") == Self.tables)
            #expect(try await names("index") == Self.indexes)
            let others = try await store.count(
                "SELECT count(*) FROM sqlite_schema WHERE type NOT IN ('table', 'index')")
            #expect(others == 0)
        }
    }

    @Test("The columns that docs/data.md calls unique are")
    func uniques() async throws {
        try await withSQLiteStore { store, _ in
            let found = try await store.texts(
                """
                SELECT t.name || '(' ||
                    (SELECT group_concat(name) FROM pragma_index_info(i.name)) || ')'
                FROM sqlite_schema t JOIN pragma_index_list(t.name) i
                WHERE t.type = 'table' AND i.origin = 'u' AND i."unique" = 1
                """)
            #expect(Set(found) == Self.uniques)
            #expect(found.count == Self.uniques.count)
        }
    }

    @Test("Every table is STRICT, and WITHOUT ROWID but for items and audit_logs")
    func strict() async throws {
        try await withSQLiteStore { store, _ in
            let ours: SQL =
                "FROM pragma_table_list WHERE schema = 'main' AND name NOT LIKE 'sqlite_%'"
            let loose = try await store.texts("SELECT name \(ours) AND strict = 0")
            #expect(loose.isEmpty)
            let rowid = try await store.texts("SELECT name \(ours) AND wr = 0 ORDER BY name")
            #expect(rowid == ["audit_logs", "items"])
            #expect(try await store.count("SELECT count(*) \(ours)") == Int64(Self.tables.count))
        }
    }

    @Test("Opening again changes nothing of it")
    func again() async throws {
        let place = try StoreFile()
        func schema() throws -> [String] {
            let reader = try SQLiteFile.openReader(place.path)
            return try reader.rows("SELECT name || rootpage FROM sqlite_schema ORDER BY name") {
                row throws(Problem) in try row.text()
            }
        }
        try place.create()
        let first = try schema()
        try place.create()
        #expect(try schema() == first)
        #expect(first.count > 40)
    }
}
