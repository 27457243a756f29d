import Domain
import HTTPTypes
import Store

extension Appliance {
    var leaseRoutes: [Route] {
        [
            Route(.post, "/api/v1/leases", .scope(.leases), .takeLease, creates: true) {
                call throws(Problem) in try await self.takeLease(call)
            },
            Route(.put, "/api/v1/leases/{id}", .scope(.leases), .renewLease) {
                call throws(Problem) in
                try await self.renewLease(call)
            },
            Route(.delete, "/api/v1/leases/{id}", .scope(.leases), .releaseLease) {
                call throws(Problem) in
                try await self.releaseLease(call)
            },
        ]
    }

    /// Counted in memory first, where the limit is, under a token that nobody has; the store gives
    /// the real one.
    private func takeLease(_ call: Call) async throws(Problem) -> Answer {
        let caller = try call.signedIn()
        let user = caller.userID
        let now = call.now
        var form = try await call.form()
        let resource = form.required("resource") { $0.word("resource", $1) }
        let ttl = form.seconds("ttl_seconds", in: Lease.ttlSeconds)
        let (wanted, span) = try form.finish(resource, ttl)
        var random = SystemRandomNumberGenerator()
        let pending = Lease(
            id: ID(at: now, using: &random), userID: user, keyID: caller.key?.id,
            resource: wanted, fencingToken: 0, createdAt: now, expiresAt: now + span)
        var review = Review()
        let key = caller.keyRules
        _ = try await gatekeeper.decided(user, at: now, &review) { customer, review, now in
            customer.lease(pending, key: key, at: now, &review)
        } undo: { customer, now in
            _ = customer.release(pending.id, fencingToken: 0, at: now)
        }
        let limit = review.states.first
        let inUse = try await inUse(wanted, limit, of: user, letGo: pending, at: now)
        let (lease, answer): (Lease, Answer)
        do throws(Problem) {
            (lease, answer) = try await store.write { db throws(Problem) in
                let lease = try db.leases.insert(
                    pending.id, of: user, key: pending.keyID, resource: wanted, at: now,
                    expiresAt: pending.expiresAt)
                let answer = Answer.json(.created) { json in
                    json.lease(lease, inUse: inUse, limit: limit?.allowed)
                }
                try call.keep(answer, db)
                return (lease, answer)
            }
        } catch {
            await letGo(pending, at: now)
            throw error
        }
        await gatekeeper.correct(user, .byID, at: now) { $0.put(lease, at: $1) }
        return answer
    }

    private func letGo(_ pending: Lease, at now: Timestamp) async {
        await gatekeeper.correct(pending.userID, .byID, at: now) { customer, now in
            _ = customer.release(pending.id, fencingToken: 0, at: now)
        }
    }

    /// The limit that was looked at says so; without one it is asked for.
    private func inUse(
        _ resource: String, _ limit: LimitState?, of user: UserID, letGo pending: Lease,
        at now: Timestamp
    ) async throws(Problem) -> Int64 {
        if let limit { return limit.used }
        do throws(Problem) {
            return try await gatekeeper.look(user, at: now) { $0.inUse(resource, at: $1) }
        } catch {
            await letGo(pending, at: now)
            throw error
        }
    }

    private static let leaseLost = Problem(
        .leaseLost, "This lease has ended, or is not held with this fencing_token.")

    private func renewLease(_ call: Call) async throws(Problem) -> Answer {
        let user = try call.signedIn().userID
        let now = call.now
        let id = try Self.leaseID(call)
        var form = try await call.form()
        let token = form.required("fencing_token") { $0.amount("fencing_token", $1) }
        let ttl = form.seconds("ttl_seconds", in: Lease.ttlSeconds)
        let (fencingToken, span) = try form.finish(token, ttl)
        let renewed = try await turnstiles[id].pass { () throws(Problem) in
            try await self.renew(id, of: user, fencingToken, until: now + span, at: now)
        }
        let (inUse, limit) = try await gatekeeper.look(user, at: now) { customer, now in
            (
                customer.inUse(renewed.resource, at: now),
                customer.standing?.rules.concurrency(renewed.resource)?.bound
            )
        }
        return .json { $0.lease(renewed, inUse: inUse, limit: limit) }
    }

    /// In memory first: a lease that ran out there a moment ago may have been given to another.
    private func renew(
        _ id: LeaseID, of user: UserID, _ fencingToken: Int64, until end: Timestamp,
        at now: Timestamp
    ) async throws(Problem) -> Lease {
        let found = try await gatekeeper.edit(user, at: now) { customer, now -> Lease? in
            let before = customer.leases.live.first { $0.id == id }
            let renewed = customer.renew(id, fencingToken: fencingToken, until: end, at: now)
            return renewed == nil ? nil : before
        }
        guard let (before, acceptance) = found else { throw Self.leaseLost }
        do throws(Problem) {
            let renewed = try await store.write { db throws(Problem) in
                try db.leases.renew(id, of: user, fencingToken: fencingToken, until: end, at: now)
            }
            guard let renewed else { throw Self.leaseLost }
            await gatekeeper.confirm(user, .byID, acceptance) { $0.put(renewed, at: $1) }
            return renewed
        } catch {
            await gatekeeper.correct(user, .byID, at: now) { customer, now in
                _ = customer.renew(
                    id, fencingToken: fencingToken, until: before.expiresAt, at: now)
            }
            throw error
        }
    }

    /// The token stands in the body or, for clients whose DELETE has none, in the query.
    private func releaseLease(_ call: Call) async throws(Problem) -> Answer {
        let user = try call.signedIn().userID
        let now = call.now
        let id = try Self.leaseID(call)
        var form = try await call.optionalForm()
        var fencingToken = form.optional("fencing_token") { $0.amount("fencing_token", $1) }
        if let text = call.query("fencing_token") { fencingToken = fencingToken ?? Int64(text) }
        try form.finish()
        guard let fencingToken else {
            throw .invalid("fencing_token", "required", "This field is needed.")
        }
        return try await turnstiles[id].pass { () throws(Problem) in
            let released = try await self.store.write { db throws(Problem) in
                try db.leases.release(id, of: user, fencingToken: fencingToken, at: now)
            }
            guard released != nil else { throw Self.leaseLost }
            await self.gatekeeper.correct(user, .byID, at: now) { customer, now in
                _ = customer.release(id, fencingToken: fencingToken, at: now)
            }
            return .noContent
        }
    }

    /// A lease that never was is lost too: what a holder has to do is the same.
    private static func leaseID(_ call: Call) throws(Problem) -> LeaseID {
        guard let id = LeaseID(call.parameter("id")) else { throw leaseLost }
        return id
    }
}

extension Shapes {
    static let lease = Shape<(lease: Lease, inUse: Int64, limit: Int64?)>(
        "Lease",
        [
            .member("id") { $0.lease.id },
            .member("resource", .resource) { $0.lease.resource },
            .member("fencing_token") { $0.lease.fencingToken },
            .member("expires_at") { $0.lease.expiresAt },
            .member("in_use") { $0.inUse },
            .member("limit", .integer(example: 3)) { $0.limit },
        ])
}

extension JSONWriter {
    /// `Lease`.
    fileprivate mutating func lease(_ lease: Lease, inUse: Int64, limit: Int64?) {
        write((lease, inUse, limit), as: Shapes.lease)
    }
}
