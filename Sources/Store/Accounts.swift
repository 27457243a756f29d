import Domain

extension Connection {
    package var accounts: Accounts { Accounts(db: self) }
}

/// The `users` table.
package struct Accounts {
    let db: any Connection

    private static let columns: StaticString = """
        u.id, u.email, u.name, u.role, u.is_active, u.email_verified, u.totp_enabled, \
        u.token_version, u.created_at, u.updated_at
        """

    private static func decode(_ row: inout Row) throws(Problem) -> Account {
        Account(
            id: try row.id(), email: EmailAddress(canonical: try row.text()),
            name: try row.optionalText(),
            role: try row.parsed(Account.Role.init),
            isActive: try row.bool(), isEmailVerified: try row.bool(), hasTOTP: try row.bool(),
            tokenVersion: try row.integer(), createdAt: try row.timestamp(),
            updatedAt: try row.timestamp())
    }

    /// False when the address is taken; nothing is written then.
    package func insert(_ account: Account, passwordHash: String?) throws(Problem) -> Bool {
        try db.execute(
            """
            INSERT INTO users (id, email, name, password_hash, role, is_active, email_verified,
                totp_enabled, token_version, created_at, updated_at)
            VALUES (\(account.id), \(account.email.description), \(account.name), \(passwordHash),
                \(account.role.rawValue), \(account.isActive), \(account.isEmailVerified),
                \(account.hasTOTP), \(account.tokenVersion), \(account.createdAt),
                \(account.updatedAt))
            ON CONFLICT (email) DO NOTHING
            """) == 1
    }

    package func find(_ id: UserID) throws(Problem) -> Account? {
        try db.first("SELECT \(raw: Self.columns) FROM users u WHERE u.id = \(id)") {
            row throws(Problem) in try Self.decode(&row)
        }
    }

    package func find(_ email: EmailAddress) throws(Problem) -> Account? {
        try credentials(email)?.account
    }

    package struct Credentials: Sendable {
        package let account: Account
        /// A PHC string; nil for an account that was invited and has no password yet.
        package let passwordHash: String?
    }

    package func credentials(_ email: EmailAddress) throws(Problem) -> Credentials? {
        try credentials(where: "u.email = \(email.description)")
    }

    package func credentials(_ id: UserID) throws(Problem) -> Credentials? {
        try credentials(where: "u.id = \(id)")
    }

    private func credentials(where condition: SQL) throws(Problem) -> Credentials? {
        try db.first(
            "SELECT \(raw: Self.columns), u.password_hash FROM users u WHERE \(condition)"
        ) { row throws(Problem) in
            Credentials(
                account: try Self.decode(&row), passwordHash: try row.optionalText())
        }
    }

    /// Writes every field that can change; false when the address now belongs to another account.
    package func update(_ account: Account) throws(Problem) -> Bool {
        let others = try db.count(
            """
            SELECT count(*) FROM users
            WHERE email = \(account.email.description) AND id <> \(account.id)
            """)
        guard others == 0 else { return false }
        return try db.execute(
            """
            UPDATE users SET email = \(account.email.description), name = \(account.name),
                role = \(account.role.rawValue), is_active = \(account.isActive),
                email_verified = \(account.isEmailVerified), totp_enabled = \(account.hasTOTP),
                token_version = \(account.tokenVersion), updated_at = \(account.updatedAt)
            WHERE id = \(account.id)
            """) == 1
    }

    package func setPassword(
        _ hash: String, of id: UserID, at now: Timestamp
    ) throws(Problem) {
        try db.execute(
            "UPDATE users SET password_hash = \(hash), updated_at = \(now) WHERE id = \(id)")
    }

    /// A hash with today's cost in place of `old`, unless the password changed meanwhile.
    package func replacePasswordHash(
        _ old: String, with new: String, of id: UserID
    ) throws(Problem) {
        try db.execute(
            """
            UPDATE users SET password_hash = \(new) WHERE id = \(id) AND password_hash = \(old)
            """)
    }

    /// Takes everything that hangs on the account with it; audit rows stay.
    package func delete(_ id: UserID) throws(Problem) -> Bool {
        try db.execute("DELETE FROM users WHERE id = \(id)") == 1
    }

    /// Active admins other than this one.
    package func activeAdmins(besides id: UserID?) throws(Problem) -> Int64 {
        try db.count(
            """
            SELECT count(*) FROM users WHERE role = 'admin' AND is_active = 1
                AND id <> \(id?.description ?? "")
            """)
    }

    package struct Filter: Sendable {
        /// A part of the address or the name.
        package var search: String?
        package var role: Account.Role?
        package var isActive: Bool?
        package var plan: String?

        package init(
            search: String? = nil, role: Account.Role? = nil, isActive: Bool? = nil,
            plan: String? = nil
        ) {
            self.search = search
            self.role = role
            self.isActive = isActive
            self.plan = plan
        }
    }

    package struct Listed: Sendable {
        package let account: Account
        package let plan: String?
    }

    /// - Parameter page: its `before` is the position of the last account of the page before.
    package func list(
        _ filter: Filter, by order: Order = .newest, _ page: Page
    ) throws(Problem) -> [Listed] {
        var conditions = order.condition(page.before)
        if let search = filter.search {
            let pattern = "%" + Self.escaped(Text.lowered(search)) + "%"
            conditions += """
                 AND (u.email LIKE \(pattern) ESCAPE '\\'
                 OR lower(u.name) LIKE \(pattern) ESCAPE '\\')
                """
        }
        if let role = filter.role { conditions += " AND u.role = \(role.rawValue)" }
        if let isActive = filter.isActive { conditions += " AND u.is_active = \(isActive)" }
        if let plan = filter.plan { conditions += " AND p.slug = \(plan)" }
        return try db.rows(
            """
            SELECT \(raw: Self.columns), p.slug FROM users u
            LEFT JOIN subscriptions s ON s.user_id = u.id AND s.status = 'active'
            LEFT JOIN plans p ON p.id = s.plan_id
            WHERE \(conditions) ORDER BY \(order.clause) LIMIT \(page.limit)
            """
        ) { row throws(Problem) in
            Listed(account: try Self.decode(&row), plan: try row.optionalText())
        }
    }

    package struct Counts: Sendable, Equatable {
        package let byRole: [Account.Role: Int64]
        package let inactive: Int64

        package init(byRole: [Account.Role: Int64], inactive: Int64) {
            self.byRole = byRole
            self.inactive = inactive
        }

        package var total: Int64 { byRole.values.reduce(0, +) }
    }

    /// How many there are: one walk over the smallest index.
    package func counts() throws(Problem) -> Counts {
        let byRole = try db.rows("SELECT role, count(*) FROM users GROUP BY role ORDER BY role") {
            row throws(Problem) in
            (role: try row.parsed(Account.Role.init), count: try row.integer())
        }
        let inactive = try db.count("SELECT count(*) FROM users WHERE is_active = 0")
        return Counts(
            byRole: Dictionary(uniqueKeysWithValues: byRole.map { ($0.role, $0.count) }),
            inactive: inactive)
    }

    /// A search for `50%` finds the percent sign, not everything.
    private static func escaped(_ text: String) -> String {
        text.reduce(into: "") { escaped, character in
            if "\\%_".contains(character) { escaped += "\\" }
            escaped.append(character)
        }
    }
}
