import Domain

extension Connection {
    package var apiKeys: APIKeys { APIKeys(db: self) }
}

/// The `api_keys` table.
package struct APIKeys {
    let db: any Connection

    private static let columns: StaticString = """
        id, user_id, name, public_id, last_four, key_hash, scopes, limits_json, allowed_cidrs, \
        expires_at, last_used_at, revoked_at, created_at, previous_public_id
        """

    private static func decode(_ row: inout Row) throws(Problem) -> APIKey {
        var key = APIKey(
            id: try row.id(), userID: try row.id(), name: try row.text(),
            publicID: try row.text(), lastFour: try row.text(), secretHash: try row.bytes(),
            scopes: Scopes(words: try row.text()),
            limits: try Limits(json: try row.json()),
            allowedNetworks: try row.text().split(separator: " ").compactMap { Network($0) },
            expiresAt: try row.optionalTimestamp(), lastUsedAt: try row.optionalTimestamp(),
            revokedAt: try row.optionalTimestamp(), createdAt: try row.timestamp())
        key.previousPublicID = try row.optionalText()
        return key
    }

    package func insert(_ key: APIKey) throws(Problem) {
        try db.execute(
            """
            INSERT INTO api_keys (id, user_id, name, public_id, last_four, key_hash, scopes,
                limits_json, allowed_cidrs, expires_at, last_used_at, revoked_at, created_at)
            VALUES (\(key.id), \(key.userID), \(key.name), \(key.publicID), \(key.lastFour),
                \(key.secretHash), \(Self.text(key.scopes)), \(key.limits.json),
                \(Self.text(key.allowedNetworks)), \(key.expiresAt), \(key.lastUsedAt),
                \(key.revokedAt), \(key.createdAt))
            """)
    }

    /// Writes what its owner can change.
    package func update(_ key: APIKey) throws(Problem) {
        try db.execute(
            """
            UPDATE api_keys SET name = \(key.name), scopes = \(Self.text(key.scopes)),
                limits_json = \(key.limits.json),
                allowed_cidrs = \(Self.text(key.allowedNetworks)), expires_at = \(key.expiresAt),
                revoked_at = \(key.revokedAt)
            WHERE id = \(key.id)
            """)
    }

    /// A new secret for the same key; the old one works until `overlapEnd`.
    package func rotate(
        _ id: APIKeyID, to text: APIKeyText, hash: [UInt8], overlapEnd: Timestamp
    ) throws(Problem) {
        try db.execute(
            """
            UPDATE api_keys SET previous_public_id = public_id, previous_hash = key_hash,
                previous_until = \(overlapEnd), public_id = \(text.publicID),
                key_hash = \(hash), last_four = \(text.lastFour)
            WHERE id = \(id)
            """)
    }

    /// Whoever's it is.
    package func find(_ id: APIKeyID) throws(Problem) -> APIKey? {
        try db.first("SELECT \(raw: Self.columns) FROM api_keys WHERE id = \(id)") {
            row throws(Problem) in try Self.decode(&row)
        }
    }

    package func find(_ id: APIKeyID, of user: UserID) throws(Problem) -> APIKey? {
        try db.first(
            "SELECT \(raw: Self.columns) FROM api_keys WHERE id = \(id) AND user_id = \(user)"
        ) { row throws(Problem) in try Self.decode(&row) }
    }

    /// A key as it is presented: with the hash that its secret must have, and until when.
    package struct Presented: Sendable {
        package let key: APIKey
        /// What it was looked up by: the key's, or that of the secret before.
        package let publicID: String
        package let secretHash: [UInt8]
        /// The end of a rotated secret's overlap.
        package let until: Timestamp?
    }

    package func find(publicID: String) throws(Problem) -> Presented? {
        let now = try db.first(
            "SELECT \(raw: Self.columns) FROM api_keys WHERE public_id = \(publicID)"
        ) { row throws(Problem) in try Self.decode(&row) }
        if let now {
            return Presented(
                key: now, publicID: publicID, secretHash: now.secretHash, until: nil)
        }
        return try db.first(
            """
            SELECT \(raw: Self.columns), previous_hash, previous_until FROM api_keys
            WHERE previous_public_id = \(publicID)
            """
        ) { row throws(Problem) in
            Presented(
                key: try Self.decode(&row), publicID: publicID, secretHash: try row.bytes(),
                until: try row.timestamp())
        }
    }

    package func list(of user: UserID, _ page: Page) throws(Problem) -> [APIKey] {
        try db.rows(
            """
            SELECT \(raw: Self.columns) FROM api_keys
            WHERE user_id = \(user) AND id < \(page.bound) ORDER BY id DESC LIMIT \(page.limit)
            """
        ) { row throws(Problem) in try Self.decode(&row) }
    }

    package struct Filter: Sendable {
        package var user: UserID?
        /// Live at that moment, or not; nil: both.
        package var isLive: Bool?

        package init(user: UserID? = nil, isLive: Bool? = nil) {
            self.user = user
            self.isLive = isLive
        }
    }

    /// Keys of everybody, for the admin.
    package func list(
        _ filter: Filter, at now: Timestamp, _ page: Page
    ) throws(Problem) -> [APIKey] {
        var conditions: SQL = "id < \(page.bound)"
        if let user = filter.user { conditions += " AND user_id = \(user)" }
        if let isLive = filter.isLive {
            let live: SQL = """
                ((revoked_at IS NULL OR revoked_at > \(now)) AND
                (expires_at IS NULL OR expires_at > \(now)))
                """
            conditions += isLive ? " AND \(live)" : " AND NOT \(live)"
        }
        return try db.rows(
            """
            SELECT \(raw: Self.columns) FROM api_keys WHERE \(conditions)
            ORDER BY id DESC LIMIT \(page.limit)
            """
        ) { row throws(Problem) in try Self.decode(&row) }
    }

    package func countLive(of user: UserID, at now: Timestamp) throws(Problem) -> Int64 {
        try db.count(
            """
            SELECT count(*) FROM api_keys WHERE user_id = \(user)
                AND (revoked_at IS NULL OR revoked_at > \(now))
                AND (expires_at IS NULL OR expires_at > \(now))
            """)
    }

    /// False when it was revoked before.
    package func revoke(_ id: APIKeyID, at now: Timestamp) throws(Problem) -> Bool {
        try db.execute(
            """
            UPDATE api_keys SET revoked_at = \(now), previous_until = \(now)
            WHERE id = \(id) AND revoked_at IS NULL
            """) == 1
    }

    package func recordUse(_ id: APIKeyID, at now: Timestamp) throws(Problem) {
        try db.execute("UPDATE api_keys SET last_used_at = \(now) WHERE id = \(id)")
    }

    private static func text(_ scopes: Scopes) -> String { scopes.words.joined(separator: " ") }

    private static func text(_ networks: [Network]) -> String {
        networks.map(\.description).joined(separator: " ")
    }
}
