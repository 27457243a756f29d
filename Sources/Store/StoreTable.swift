/// A table as it is copied from one engine to another: by its columns, in the order of its key.
///
/// `is_superuser` is missing: it follows from the role.
struct StoreTable: Sendable {
    enum Column: Sendable, Equatable {
        case text(String)
        case integer(String)
        case bytes(String)

        var name: String {
            switch self {
            case .text(let name), .integer(let name), .bytes(let name): name
            }
        }
    }

    let name: String
    /// The primary key.
    let key: [Column]
    let rest: [Column]

    init(_ name: String, key: [Column], rest: [Column]) {
        self.name = name
        self.key = key
        self.rest = rest
    }

    /// The key first.
    var columns: [Column] { key + rest }

    /// Each after those that it refers to.
    static let all = [
        StoreTable(
            "activity", key: [.text("granularity"), .text("period"), .text("name")],
            rest: [
                .integer("value")
            ]),
        StoreTable(
            "audit_logs", key: [.integer("sequence")],
            rest: [
                .text("id"), .integer("at"), .text("action"), .text("actor"),
                .text("target"), .text("meta_json"), .text("request_id"),
                .text("ip"), .bytes("ip_salt"), .bytes("ip_digest"),
                .bytes("previous_hash"), .bytes("hash"),
            ]),
        StoreTable(
            "idempotency_keys", key: [.text("owner"), .bytes("key_hash")],
            rest: [
                .bytes("fingerprint"), .integer("status"),
                .text("headers_json"), .bytes("sealed_body"),
                .integer("created_at"),
            ]),
        StoreTable(
            "installation", key: [.text("name")],
            rest: [
                .text("value")
            ]),
        StoreTable(
            "jobs", key: [.text("id")],
            rest: [
                .text("kind"), .text("unique_key"), .text("payload_json"),
                .text("state"), .integer("run_at"), .integer("attempts"),
                .integer("attempts_max"), .text("locked_by"),
                .integer("locked_until"), .text("last_error"),
                .integer("created_at"), .integer("finished_at"),
            ]),
        StoreTable(
            "plans", key: [.text("id")],
            rest: [
                .text("slug"), .text("name"), .text("description"),
                .text("price"), .text("limits_json"), .integer("self_service"),
                .integer("is_default"), .integer("archived_at"),
                .integer("created_at"), .integer("updated_at"),
            ]),
        StoreTable(
            "rate_states", key: [.text("subject"), .text("name")],
            rest: [
                .text("backlog"), .integer("updated_at"),
            ]),
        StoreTable(
            "schedules", key: [.text("name")],
            rest: [
                .text("spec"), .integer("next_at"), .integer("last_at"),
                .text("last_job_id"),
            ]),
        StoreTable(
            "users", key: [.text("id")],
            rest: [
                .text("email"), .text("name"), .text("password_hash"),
                .text("role"), .integer("is_active"),
                .integer("email_verified"), .integer("totp_enabled"),
                .integer("token_version"), .integer("created_at"),
                .integer("updated_at"),
            ]),
        StoreTable(
            "api_keys", key: [.text("id")],
            rest: [
                .text("user_id"), .text("name"), .text("public_id"),
                .text("last_four"), .bytes("key_hash"),
                .text("previous_public_id"), .bytes("previous_hash"),
                .integer("previous_until"), .text("scopes"),
                .text("limits_json"), .text("allowed_cidrs"),
                .integer("expires_at"), .integer("last_used_at"),
                .integer("revoked_at"), .integer("created_at"),
            ]),
        StoreTable(
            "items", key: [.text("id")],
            rest: [
                .text("user_id"), .text("name"), .text("data_json"),
                .integer("created_at"), .integer("updated_at"),
            ]),
        StoreTable(
            "leases", key: [.text("id")],
            rest: [
                .text("user_id"), .text("key_id"), .text("resource"),
                .integer("fencing_token"), .integer("created_at"),
                .integer("expires_at"),
            ]),
        StoreTable(
            "one_time_tokens", key: [.bytes("token_hash")],
            rest: [
                .text("purpose"), .text("user_id"), .text("email"),
                .integer("created_at"), .integer("expires_at"),
            ]),
        StoreTable(
            "quota_alerts",
            key: [
                .text("user_id"), .text("metric"), .text("granularity"),
                .text("period"), .integer("threshold"),
            ],
            rest: [
                .integer("created_at")
            ]),
        StoreTable(
            "recovery_codes", key: [.text("user_id"), .bytes("code_hash")],
            rest: []),
        StoreTable(
            "reservations", key: [.text("id")],
            rest: [
                .text("user_id"), .text("key_id"), .text("metric"),
                .integer("amount"), .integer("created_at"),
                .integer("expires_at"), .text("state"),
                .integer("settled_amount"), .integer("settled_at"),
            ]),
        StoreTable(
            "second_factors", key: [.text("user_id")],
            rest: [
                .bytes("sealed_secret"), .integer("last_step"),
                .integer("confirmed_at"), .integer("created_at"),
            ]),
        StoreTable(
            "sessions", key: [.text("id")],
            rest: [
                .text("user_id"), .integer("generation"),
                .integer("delivered_at"), .text("user_agent"), .text("ip"),
                .integer("created_at"), .integer("last_used_at"),
                .integer("expires_at"), .integer("revoked_at"),
            ]),
        StoreTable(
            "subscriptions", key: [.text("id")],
            rest: [
                .text("user_id"), .text("plan_id"), .text("status"),
                .integer("started_at"), .integer("expires_at"),
                .integer("canceled_at"),
            ]),
        StoreTable(
            "usage_counters",
            key: [
                .text("user_id"), .text("key_id"), .text("metric"),
                .text("granularity"), .text("period"),
            ],
            rest: [
                .integer("value")
            ]),
        StoreTable(
            "usage_events", key: [.text("user_id"), .text("id")],
            rest: [
                .text("metric"), .integer("value"), .integer("at"),
                .integer("created_at"),
            ]),
        StoreTable(
            "refresh_tokens", key: [.bytes("token_hash")],
            rest: [
                .text("session_id"), .text("user_id"), .integer("generation"),
                .integer("issued_at"), .integer("expires_at"),
                .integer("revoked"), .text("user_agent"), .text("ip"),
            ]),
    ]
}
