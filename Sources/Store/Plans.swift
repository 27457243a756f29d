import Domain

extension Connection {
    package var plans: Plans { Plans(db: self) }
}

/// The `plans` table.
package struct Plans {
    let db: any Connection

    static let columns: StaticString = """
        p.id, p.slug, p.name, p.description, p.limits_json, p.self_service, p.is_default, \
        p.archived_at, p.created_at, p.updated_at
        """

    static func decode(_ row: inout Row) throws(Problem) -> Plan {
        Plan(
            id: try row.id(), slug: try row.text(), name: try row.text(),
            description: try row.optionalText(), limits: try Limits(json: try row.json()),
            isSelfService: try row.bool(), isDefault: try row.bool(),
            archivedAt: try row.optionalTimestamp(), createdAt: try row.timestamp(),
            updatedAt: try row.timestamp())
    }

    /// False when the slug is taken; nothing is written then.
    package func insert(_ plan: Plan) throws(Problem) -> Bool {
        guard try find(slug: plan.slug) == nil else { return false }
        if plan.isDefault { try clearDefault() }
        return try db.execute(
            """
            INSERT INTO plans (id, slug, name, description, limits_json, self_service, is_default,
                archived_at, created_at, updated_at)
            VALUES (\(plan.id), \(plan.slug), \(plan.name), \(plan.description),
                \(plan.limits.json), \(plan.isSelfService), \(plan.isDefault),
                \(plan.archivedAt), \(plan.createdAt), \(plan.updatedAt))
            ON CONFLICT (slug) DO NOTHING
            """) == 1
    }

    package func update(_ plan: Plan) throws(Problem) {
        if plan.isDefault { try clearDefault() }
        try db.execute(
            """
            UPDATE plans SET name = \(plan.name), description = \(plan.description),
                limits_json = \(plan.limits.json), self_service = \(plan.isSelfService),
                is_default = \(plan.isDefault), archived_at = \(plan.archivedAt),
                updated_at = \(plan.updatedAt)
            WHERE id = \(plan.id)
            """)
    }

    private func clearDefault() throws(Problem) {
        try db.execute("UPDATE plans SET is_default = 0 WHERE is_default = 1")
    }

    package func find(slug: String) throws(Problem) -> Plan? {
        try db.first("SELECT \(raw: Self.columns) FROM plans p WHERE p.slug = \(slug)") {
            row throws(Problem) in try Self.decode(&row)
        }
    }

    package func find(_ id: PlanID) throws(Problem) -> Plan? {
        try db.first("SELECT \(raw: Self.columns) FROM plans p WHERE p.id = \(id)") {
            row throws(Problem) in try Self.decode(&row)
        }
    }

    package func findDefault() throws(Problem) -> Plan? {
        try db.first(
            """
            SELECT \(raw: Self.columns) FROM plans p
            WHERE p.is_default = 1 AND p.archived_at IS NULL
            """
        ) { row throws(Problem) in try Self.decode(&row) }
    }

    package func list(includingArchived: Bool, _ page: Page) throws(Problem) -> [Plan] {
        let condition: SQL = includingArchived ? "" : " AND p.archived_at IS NULL"
        return try db.rows(
            """
            SELECT \(raw: Self.columns) FROM plans p WHERE p.id < \(page.bound)\(condition)
            ORDER BY p.id DESC LIMIT \(page.limit)
            """
        ) { row throws(Problem) in try Self.decode(&row) }
    }
}
