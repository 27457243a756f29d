import Domain
import Store

/// One row of each table that the schema takes, as literals, so that a test can spoil one column.
struct GoodRow: Sendable {
    let table: String
    let values: [(column: String, literal: String)]

    /// In the order in which they can refer to each other.
    static let all = [
        GoodRow(
            table: "users",
            values: [
                ("id", "'u'"), ("email", "'a@example.com'"), ("name", "NULL"),
                ("password_hash", "NULL"), ("role", "'user'"), ("is_active", "1"),
                ("email_verified", "0"), ("totp_enabled", "0"), ("token_version", "1"),
                ("created_at", "1"), ("updated_at", "1"),
            ]),
        GoodRow(
            table: "one_time_tokens",
            values: [
                ("token_hash", "x'01'"), ("purpose", "'setup'"), ("user_id", "'u'"),
                ("email", "NULL"), ("created_at", "1"), ("expires_at", "2"),
            ]),
        GoodRow(
            table: "second_factors",
            values: [
                ("user_id", "'u'"), ("sealed_secret", "x'01'"), ("last_step", "0"),
                ("confirmed_at", "NULL"), ("created_at", "1"),
            ]),
        GoodRow(
            table: "recovery_codes",
            values: [("user_id", "'u'"), ("code_hash", "x'01'")]),
        GoodRow(
            table: "sessions",
            values: [
                ("id", "'s'"), ("user_id", "'u'"), ("generation", "1"), ("created_at", "1"),
                ("last_used_at", "1"), ("expires_at", "2"),
            ]),
        GoodRow(
            table: "refresh_tokens",
            values: [
                ("token_hash", "x'01'"), ("session_id", "'s'"), ("user_id", "'u'"),
                ("generation", "1"), ("issued_at", "1"), ("expires_at", "2"), ("revoked", "0"),
            ]),
        GoodRow(
            table: "plans",
            values: [
                ("id", "'p'"), ("slug", "'free'"), ("name", "'Free'"), ("limits_json", "'{}'"),
                ("self_service", "0"), ("is_default", "0"), ("created_at", "1"),
                ("updated_at", "1"),
            ]),
        GoodRow(
            table: "subscriptions",
            values: [
                ("id", "'b'"), ("user_id", "'u'"), ("plan_id", "'p'"), ("status", "'active'"),
                ("started_at", "1"),
            ]),
        GoodRow(
            table: "api_keys",
            values: [
                ("id", "'k'"), ("user_id", "'u'"), ("name", "''"), ("public_id", "'a'"),
                ("last_four", "'b'"), ("key_hash", "x'01'"), ("scopes", "''"),
                ("limits_json", "'{}'"), ("allowed_cidrs", "''"), ("created_at", "1"),
            ]),
        GoodRow(
            table: "usage_counters",
            values: [
                ("user_id", "'u'"), ("key_id", "''"), ("metric", "'requests'"),
                ("granularity", "'day'"), ("period", "'2026-11-23'"), ("value", "1"),
            ]),
        GoodRow(
            table: "usage_events",
            values: [
                ("id", "'e'"), ("user_id", "'u'"), ("metric", "'tokens'"), ("value", "1"),
                ("at", "1"), ("created_at", "1"),
            ]),
        GoodRow(
            table: "reservations",
            values: [
                ("id", "'r'"), ("user_id", "'u'"), ("key_id", "NULL"), ("metric", "'tokens'"),
                ("amount", "1"), ("created_at", "1"), ("expires_at", "3"),
                ("state", "'committed'"), ("settled_amount", "1"), ("settled_at", "2"),
            ]),
        GoodRow(
            table: "leases",
            values: [
                ("id", "'l'"), ("user_id", "'u'"), ("key_id", "NULL"), ("resource", "'jobs'"),
                ("fencing_token", "1"), ("created_at", "1"), ("expires_at", "2"),
            ]),
        GoodRow(
            table: "idempotency_keys",
            values: [
                ("owner", "'user:u'"), ("key_hash", "x'01'"), ("fingerprint", "x'02'"),
                ("status", "200"), ("headers_json", "'{}'"), ("sealed_body", "x''"),
                ("created_at", "1"),
            ]),
        GoodRow(
            table: "jobs",
            values: [
                ("id", "'j'"), ("kind", "'clean_up'"), ("unique_key", "'a'"),
                ("payload_json", "'{}'"), ("state", "'running'"), ("run_at", "1"),
                ("attempts", "1"), ("attempts_max", "2"), ("locked_by", "'b'"),
                ("locked_until", "2"), ("last_error", "NULL"), ("created_at", "1"),
                ("finished_at", "NULL"),
            ]),
        GoodRow(
            table: "schedules",
            values: [
                ("name", "'clean_up'"), ("spec", "'@every 5m'"), ("next_at", "1"),
                ("last_at", "NULL"), ("last_job_id", "'j'"),
            ]),
        GoodRow(
            table: "rate_states",
            values: [
                ("subject", "'a'"), ("name", "'b'"), ("backlog", "'1'"), ("updated_at", "1"),
            ]),
        GoodRow(
            table: "items",
            values: [
                ("id", "'i'"), ("user_id", "'u'"), ("name", "''"), ("data_json", "'{}'"),
                ("created_at", "1"), ("updated_at", "1"),
            ]),
        GoodRow(
            table: "audit_logs",
            values: [
                ("sequence", "1"), ("id", "'a'"), ("at", "1"), ("action", "''"), ("actor", "''"),
                ("target", "''"), ("meta_json", "'{}'"), ("previous_hash", "x''"),
                ("hash", "x'01'"),
            ]),
        GoodRow(
            table: "activity",
            values: [
                ("granularity", "'day'"), ("period", "'2026-11-23'"), ("name", "'sign_ins'"),
                ("value", "1"),
            ]),
        GoodRow(
            table: "quota_alerts",
            values: [
                ("user_id", "'u'"), ("metric", "'requests'"), ("granularity", "'month'"),
                ("period", "'2026-11'"), ("threshold", "80"), ("created_at", "1"),
            ]),
        GoodRow(
            table: "nodes",
            values: [
                ("name", "'n'"), ("beat", "1"), ("epoch", "NULL"), ("version", "'1.0'"),
                ("started_at", "1"), ("beat_at", "1"),
            ]),
        GoodRow(
            table: "changes",
            // Far from those that triggers number.
            values: [
                ("seq", "900000000000"), ("kind", "'account'"), ("subject", "'u'"), ("at", "1"),
            ]),
        GoodRow(table: "installation", values: [("name", "'a'"), ("value", "''")]),
    ]

    /// The statement that inserts it, with another literal in one column.
    func insertion(_ column: String? = nil, _ literal: String = "NULL") -> SQL {
        insertion(column.map { [$0: literal] } ?? [:])
    }

    /// The same with other literals in some columns.
    func insertion(_ others: [String: String]) -> SQL {
        let literals = values.map { Self.spelt(others[$0.column] ?? $0.literal) }
        return SQL(
            stringLiteral: """
                INSERT INTO \(table) (\(values.map(\.column).joined(separator: ", ")))
                VALUES (\(literals.joined(separator: ", ")))
                """)
    }

    /// Bytes are `x'01'` to SQLite and `'\\x01'` to PostgreSQL.
    private static func spelt(_ literal: String) -> String {
        guard Engine.current == .postgres, literal.hasPrefix("x'") else { return literal }
        return "'\\x" + literal.dropFirst(2)
    }
}
