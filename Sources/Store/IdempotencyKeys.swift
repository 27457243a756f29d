import Domain

extension Connection {
    package var idempotencyKeys: IdempotencyKeys { IdempotencyKeys(db: self) }
}

/// The `idempotency_keys` table: answers to calls that may come again.
package struct IdempotencyKeys {
    let db: any Connection

    package struct Entry: Equatable, Sendable {
        /// Whose key it is, such as `user:<id>`: two callers may choose the same one.
        package let owner: String
        /// SHA-256 of the key.
        package let keyHash: [UInt8]
        /// Of the request: the same key with another request is refused.
        package let fingerprint: [UInt8]
        package let status: Int
        /// Those of the answer that are sent again.
        package let headers: JSON
        /// The answer's body, encrypted: it may have a secret in it that is shown once.
        package let sealedBody: [UInt8]
        package let createdAt: Timestamp

        package init(
            owner: String, keyHash: [UInt8], fingerprint: [UInt8], status: Int, headers: JSON,
            sealedBody: [UInt8], createdAt: Timestamp
        ) {
            self.owner = owner
            self.keyHash = keyHash
            self.fingerprint = fingerprint
            self.status = status
            self.headers = headers
            self.sealedBody = sealedBody
            self.createdAt = createdAt
        }
    }

    package func find(
        owner: String, keyHash: [UInt8], newerThan moment: Timestamp
    ) throws(Problem) -> Entry? {
        try db.first(
            """
            SELECT owner, key_hash, fingerprint, status, headers_json, sealed_body, created_at
            FROM idempotency_keys
            WHERE owner = \(owner) AND key_hash = \(keyHash) AND created_at > \(moment)
            """
        ) { row throws(Problem) in
            Entry(
                owner: try row.text(), keyHash: try row.bytes(), fingerprint: try row.bytes(),
                status: Int(try row.integer()), headers: try row.json(),
                sealedBody: try row.bytes(), createdAt: try row.timestamp())
        }
    }

    /// In the place of one that `find` no longer finds, if there is one. False, and nothing
    /// written, when the key has an answer that is newer.
    package func insert(
        _ entry: Entry, unlessNewerThan moment: Timestamp
    ) throws(Problem) -> Bool {
        try db.execute(
            """
            INSERT INTO idempotency_keys (owner, key_hash, fingerprint, status, headers_json,
                sealed_body, created_at)
            VALUES (\(entry.owner), \(entry.keyHash), \(entry.fingerprint), \(entry.status),
                \(entry.headers), \(entry.sealedBody), \(entry.createdAt))
            ON CONFLICT (owner, key_hash) DO UPDATE SET fingerprint = excluded.fingerprint,
                status = excluded.status, headers_json = excluded.headers_json,
                sealed_body = excluded.sealed_body, created_at = excluded.created_at
                WHERE idempotency_keys.created_at <= \(moment)
            """) == 1
    }

    /// For how long an answer is replayed (contract.md).
    package static let kept = Duration.seconds(86_400)

    /// Everything of one owner, such as an account that is deleted.
    package func removeAll(of owner: String) throws(Problem) {
        try db.execute("DELETE FROM idempotency_keys WHERE owner = \(owner)")
    }

    package func prune(
        createdBefore moment: Timestamp, atMost most: Int
    ) throws(Problem) -> Int {
        try db.execute(
            """
            DELETE FROM idempotency_keys WHERE (owner, key_hash) IN
                (SELECT owner, key_hash FROM idempotency_keys WHERE created_at < \(moment)
                 ORDER BY created_at LIMIT \(most))
            """)
    }
}
