import Domain
import Store

/// A revoked key whose counts are to be forgotten, as a job has it.
///
/// Not at once: another node may take the key for a second longer, and its own limits hold until
/// then. And not while it holds something: a reservation outlives its key, and gives back into what
/// was counted of it. An expired key keeps its counts, since it may be given more time.
struct ForgottenKey: JobPayload {
    let user: UserID
    let key: APIKeyID

    init(_ key: APIKey) {
        user = key.userID
        self.key = key.id
    }

    init?(json: JSON) {
        guard case .string(let user)? = json["user"], case .string(let key)? = json["key"],
            let user = UserID(user), let key = APIKeyID(key)
        else { return nil }
        self.user = user
        self.key = key
    }

    var json: JSON {
        .object([
            JSON.Member("user", .string("\(user)")), JSON.Member("key", .string("\(key)")),
        ])
    }
}

extension JobKind where Payload == ForgottenKey {
    static var forgetKey: JobKind { JobKind("forget_key", JobTerms()) }
}

extension Appliance {
    /// For the transaction that revokes the key. One without limits has no counts of its own.
    func forgetLater(_ key: APIKey, _ db: any Connection, at now: Timestamp) throws(Problem) {
        guard !key.limits.all.isEmpty else { return }
        try db.jobs.enqueue(
            .forgetKey, ForgottenKey(key), runAt: now + APIKey.forgottenAfter, at: now)
    }

    /// What a `forget_key` job does.
    func forgetKey(_ run: JobRun<ForgottenKey>) async throws(Problem) -> JobOutcome {
        let (user, key) = (run.payload.user, run.payload.key)
        // With its owner everything is gone.
        let isThere = try await store.read { db throws(Problem) in
            try db.apiKeys.find(key) != nil
        }
        guard isThere else { return .done }
        let held = try await gatekeeper.look(user, at: run.now) { $0.lastHold(of: key, at: $1) }
        if let held {
            try await store.write { db throws(Problem) in
                _ = try db.jobs.enqueue(.forgetKey, run.payload, runAt: held, at: run.now)
            }
            return .done
        }
        await gatekeeper.correct(user, .byID, at: run.now) { $0.forget(key, at: $1) }
        return .done
    }
}
