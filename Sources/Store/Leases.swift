import Domain

extension Connection {
    package var leases: Leases { Leases(db: self) }
}

/// The `leases` table: those that run, and those that ran out and were not pruned yet. One that is
/// given back is gone.
package struct Leases {
    let db: any Connection

    private static let columns: StaticString =
        "id, user_id, key_id, resource, fencing_token, created_at, expires_at"

    private static func decode(_ row: inout Row) throws(Problem) -> Lease {
        Lease(
            id: try row.id(), userID: try row.id(), keyID: try row.optionalID(),
            resource: try row.text(), fencingToken: try row.integer(),
            createdAt: try row.timestamp(), expiresAt: try row.timestamp())
    }

    /// Gives the lease the next fencing token and keeps it. No token is ever given twice, not even
    /// after its lease is gone: the last one is in `installation`, in the same transaction.
    package func insert(
        _ id: LeaseID, of user: UserID, key: APIKeyID?, resource: String, at now: Timestamp,
        expiresAt: Timestamp
    ) throws(Problem) -> Lease {
        let lease = Lease(
            id: id, userID: user, keyID: key, resource: resource,
            fencingToken: try db.installation.next("fencing_token"), createdAt: now,
            expiresAt: expiresAt)
        try db.execute(
            """
            INSERT INTO leases (id, user_id, key_id, resource, fencing_token, created_at,
                expires_at)
            VALUES (\(lease.id), \(lease.userID), \(lease.keyID), \(lease.resource),
                \(lease.fencingToken), \(lease.createdAt), \(lease.expiresAt))
            """)
        return lease
    }

    /// The lease with its new end. Nil when it has ended, or another holds it (`lease_lost`).
    package func renew(
        _ id: LeaseID, of user: UserID, fencingToken: Int64, until end: Timestamp, at now: Timestamp
    ) throws(Problem) -> Lease? {
        try db.first(
            """
            UPDATE leases SET expires_at = \(end)
            WHERE id = \(id) AND user_id = \(user) AND fencing_token = \(fencingToken)
                AND expires_at > \(now)
            RETURNING \(raw: Self.columns)
            """
        ) { row throws(Problem) in try Self.decode(&row) }
    }

    /// The lease that ended by this. Nil when it had ended, or another holds it (`lease_lost`).
    package func release(
        _ id: LeaseID, of user: UserID, fencingToken: Int64, at now: Timestamp
    ) throws(Problem) -> Lease? {
        try db.first(
            """
            DELETE FROM leases
            WHERE id = \(id) AND user_id = \(user) AND fencing_token = \(fencingToken)
                AND expires_at > \(now)
            RETURNING \(raw: Self.columns)
            """
        ) { row throws(Problem) in try Self.decode(&row) }
    }

    /// One that has run out is found until it is pruned.
    package func find(_ id: LeaseID, of user: UserID) throws(Problem) -> Lease? {
        try db.first(
            "SELECT \(raw: Self.columns) FROM leases WHERE id = \(id) AND user_id = \(user)"
        ) { row throws(Problem) in try Self.decode(&row) }
    }

    /// Those that run, the first to end first; at most `Lease.perCustomerMax`.
    package func live(of user: UserID, at now: Timestamp) throws(Problem) -> [Lease] {
        try db.rows(
            """
            SELECT \(raw: Self.columns) FROM leases
            WHERE user_id = \(user) AND expires_at > \(now)
            ORDER BY expires_at, id LIMIT \(Lease.perCustomerMax)
            """
        ) { row throws(Problem) in try Self.decode(&row) }
    }

    package func prune(endedBefore moment: Timestamp, atMost most: Int) throws(Problem) -> Int {
        try db.execute(
            """
            DELETE FROM leases WHERE id IN
                (SELECT id FROM leases WHERE expires_at < \(moment)
                 ORDER BY expires_at LIMIT \(most))
            """)
    }
}
