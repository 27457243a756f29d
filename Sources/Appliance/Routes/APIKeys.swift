import Crypto
import Domain
import HTTPTypes
import Store

extension Appliance {
    var apiKeyRoutes: [Route] {
        [
            Route(.get, "/api/v1/api-keys", .user, .listKeys) { call throws(Problem) in
                let user = try call.signedIn().userID
                let page = try call.page()
                let keys = try await self.store.read { db throws(Problem) in
                    try db.apiKeys.list(of: user, page)
                }
                let next = Call.cursor(after: keys.last?.id, isFull: keys.count == page.limit)
                return .list(keys, nextCursor: next) { $0.apiKey($1) }
            },
            Route(.post, "/api/v1/api-keys", .user, .createKey, creates: true) {
                call throws(Problem) in
                try await self.createKey(call)
            },
            Route(.get, "/api/v1/api-keys/{id}", .user, .showKey) { call throws(Problem) in
                let key = try await self.ownKey(call)
                return .json { $0.apiKey(key) }
            },
            Route(.patch, "/api/v1/api-keys/{id}", .user, .updateKey) { call throws(Problem) in
                try await self.updateKey(call)
            },
            Route(.delete, "/api/v1/api-keys/{id}", .user, .revokeKey) { call throws(Problem) in
                try await self.revokeKey(call)
            },
            Route(.post, "/api/v1/api-keys/{id}/rotate", .user, .rotateKey, creates: true) {
                call throws(Problem) in
                try await self.rotateKey(call)
            },
        ]
    }

    private func ownKey(_ call: Call) async throws(Problem) -> APIKey {
        let user = try call.signedIn().userID
        let id: APIKeyID = try call.id("API key")
        let key = try await store.read { db throws(Problem) in try db.apiKeys.find(id, of: user) }
        guard let key else { throw .notFound("API key") }
        return key
    }

    private static func hash(_ text: APIKeyText) -> [UInt8] {
        Array(SHA256.hash(data: Array(text.secret.utf8)))
    }

    private func createKey(_ call: Call) async throws(Problem) -> Answer {
        let caller = try call.signedIn()
        var form = try await call.form()
        let draft = try form.keyDraft(of: caller.account.role, at: call.now)
        if draft.scopes.contains(.adminWrite) {
            try demandRecentSignIn(caller, at: call.now)
        }
        let (key, text) = try await createKey(
            draft, of: caller.userID, by: caller.actor, from: call.origin, at: call.now
        ) { key, text, db throws(Problem) in
            try call.keep(Answer.json(.created) { $0.apiKey(key, text: text) }, db)
        }
        return .json(.created) { $0.apiKey(key, text: text) }
    }

    /// The text is what its owner sees once.
    func createKey(
        _ draft: APIKeyDraft, of user: UserID, by actor: AuditEvent.Actor, from origin: Origin,
        at now: Timestamp,
        keep: @escaping @Sendable (APIKey, APIKeyText, any Connection) throws(Problem) -> Void
    ) async throws(Problem) -> (APIKey, APIKeyText) {
        var random = SystemRandomNumberGenerator()
        let text = APIKeyText.random(using: &random)
        let key = APIKey(
            id: ID(at: now, using: &random), userID: user, name: draft.name,
            publicID: text.publicID, lastFour: text.lastFour, secretHash: Self.hash(text),
            scopes: draft.scopes, limits: draft.limits, allowedNetworks: draft.networks,
            expiresAt: draft.expiresAt, createdAt: now)
        try await store.write { db throws(Problem) in
            guard try db.apiKeys.countLive(of: user, at: now) < APIKey.perAccountMax else {
                throw Problem(.conflict, "At most \(APIKey.perAccountMax) live keys.")
            }
            try db.apiKeys.insert(key)
            try db.audit.append(
                origin.event("api_key.created", by: actor, on: "api_key:\(key.id)"), at: now)
            try keep(key, text, db)
        }
        return (key, text)
    }

    private func updateKey(_ call: Call) async throws(Problem) -> Answer {
        let now = call.now
        var form = try await call.form()
        let role = try call.signedIn().account.role
        let name = form.words("name", max: APIKey.nameMax, required: false)
        let scopes = form.optional("scopes") { $0.scopes($1, of: role) }
        let limits = form.change("limits") { $0.keyLimits($1) }
        let networks = form.change("allowed_cidrs") { $0.networks($1) }
        let expiresAt = form.change("expires_at") { $0.expiry("expires_at", $1, after: now) }
        try form.finish()
        if scopes?.contains(.adminWrite) == true {
            try demandRecentSignIn(try call.signedIn(), at: now)
        }
        return try await changeKey(call, "api_key.updated") { key in
            if let name { key.name = name }
            if let scopes { key.scopes = Scopes(scopes) }
            if let limits { key.limits = limits ?? .none }
            if let networks { key.allowedNetworks = networks ?? [] }
            if let expiresAt { key.expiresAt = expiresAt }
        }
    }

    private func changeKey(
        _ call: Call, _ action: String, _ change: @escaping @Sendable (inout APIKey) -> Void
    ) async throws(Problem) -> Answer {
        let caller = try call.signedIn()
        let id: APIKeyID = try call.id("API key")
        let origin = call.origin
        let now = call.now
        let (before, key) = try await store.write { db throws(Problem) in
            guard let before = try db.apiKeys.find(id, of: caller.userID) else {
                throw Problem.notFound("API key")
            }
            guard before.revokedAt == nil else {
                throw Problem(.conflict, "This key was revoked.")
            }
            var key = before
            change(&key)
            try db.apiKeys.update(key)
            try db.audit.append(
                origin.event(action, by: caller.actor, on: "api_key:\(id)"), at: now)
            return (before, key)
        }
        authenticator.forget(key: before)
        return .json { $0.apiKey(key) }
    }

    private func revokeKey(_ call: Call) async throws(Problem) -> Answer {
        _ = try await revokeKey(
            try await ownKey(call), by: try call.signedIn().actor, from: call.origin, at: call.now)
        return .noContent
    }

    /// One that was revoked before stays as it is.
    func revokeKey(
        _ key: APIKey, by actor: AuditEvent.Actor, from origin: Origin, at now: Timestamp
    ) async throws(Problem) -> APIKey {
        let revoked = try await store.write { db throws(Problem) in
            if try db.apiKeys.revoke(key.id, at: now) {
                try db.audit.append(
                    origin.event("api_key.revoked", by: actor, on: "api_key:\(key.id)"), at: now)
                try self.forgetLater(key, db, at: now)
            }
            // As it is now: it may have been rotated since it was read, or gone with its owner.
            return try db.apiKeys.find(key.id) ?? key
        }
        authenticator.forget(key: revoked)
        return revoked
    }

    /// A week: long enough for any deployment, and bounded (contract.md).
    static let overlapSecondsMax: Int64 = 604_800

    private func rotateKey(_ call: Call) async throws(Problem) -> Answer {
        let caller = try call.signedIn()
        var form = try await call.optionalForm()
        let overlap = form.integer("overlap_seconds", in: 0...Self.overlapSecondsMax) ?? 0
        try form.finish()
        let id: APIKeyID = try call.id("API key")
        var random = SystemRandomNumberGenerator()
        let text = APIKeyText.random(using: &random)
        let origin = call.origin
        let now = call.now
        let (before, answer) = try await store.write { db throws(Problem) in
            guard let before = try db.apiKeys.find(id, of: caller.userID) else {
                throw Problem.notFound("API key")
            }
            guard before.isLive(at: now) else { throw Problem(.conflict, "This key has ended.") }
            if before.scopes.contains(.adminWrite) { try self.demandRecentSignIn(caller, at: now) }
            try db.apiKeys.rotate(
                id, to: text, hash: Self.hash(text), overlapEnd: now + .seconds(overlap))
            try db.audit.append(
                origin.event("api_key.rotated", by: caller.actor, on: "api_key:\(id)"), at: now)
            guard let rotated = try db.apiKeys.find(id, of: caller.userID) else {
                throw Problem.notFound("API key")
            }
            let answer = Answer.json { $0.apiKey(rotated, text: text) }
            try call.keep(answer, db)
            return (before, answer)
        }
        authenticator.forget(key: before)
        return answer
    }
}

/// A key that is asked for.
struct APIKeyDraft: Sendable {
    let name: String
    let scopes: Scopes
    let limits: Limits
    let networks: [Network]
    let expiresAt: Timestamp?
}

extension Form {
    /// Ends the reading of a body that asks for a key.
    mutating func keyDraft(
        of role: Account.Role, at now: Timestamp
    ) throws(Problem) -> APIKeyDraft {
        let name = words("name", max: APIKey.nameMax)
        let scopes = required("scopes") { $0.scopes($1, of: role) }
        let limits = optional("limits") { $0.keyLimits($1) } ?? .none
        let networks = optional("allowed_cidrs") { $0.networks($1) } ?? []
        let expiresAt = optional("expires_at") { $0.expiry("expires_at", $1, after: now) }
        let (label, granted) = try finish(name, scopes)
        return APIKeyDraft(
            name: label, scopes: Scopes(granted), limits: limits, networks: networks,
            expiresAt: expiresAt)
    }

    /// Scopes that the owner's role can give away.
    fileprivate mutating func scopes(_ value: JSON, of role: Account.Role) -> [Scope]? {
        list("scopes", value, max: Scope.allCases.count) { form, name, element in
            guard let scope = form.choice(name, element, Scope.self) else { return nil }
            guard Scopes.available(to: role).contains(scope) else {
                form.refuse(name, "not_allowed", "Your role cannot give this scope away.")
                return nil
            }
            return scope
        }
    }

    fileprivate mutating func networks(_ value: JSON) -> [Network]? {
        list("allowed_cidrs", value, max: APIKey.networksMax) { $0.network($1, $2) }
    }

    /// Rates and quotas; what exists or runs at one time belongs to the account, not to a key.
    fileprivate mutating func keyLimits(_ value: JSON) -> Limits? {
        guard let limits = limits("limits", value) else { return nil }
        var isRight = true
        for limit in limits.all {
            switch limit.kind {
            case .rate, .burst, .quota: break
            case .concurrency, .stock:
                refuse("limits.\(limit.name)", "invalid", "A key has rates and quotas only.")
                isRight = false
            }
        }
        return isRight ? limits : nil
    }

    mutating func expiry(_ name: String, _ value: JSON, after now: Timestamp) -> Timestamp? {
        guard let moment = timestamp(name, value) else { return nil }
        guard moment > now else {
            refuse(name, "out_of_range", "This time is past.")
            return nil
        }
        return moment
    }
}

extension Shapes {
    static let apiKey = Shape<APIKey>("ApiKey", keyMembers)

    static let newAPIKey = Shape<(key: APIKey, text: String)>(
        "NewApiKey",
        apiKey.members { $0.key } + [
            .member("key", .string(53...53, pattern: "^gh_[0-9A-Za-z]{50}$", example: sampleKey)) {
                $0.text
            }
        ])

    static let ownedAPIKey = Shape<APIKey>(
        "OwnedApiKey", [keyMembers[0], .member("user_id") { $0.userID }] + keyMembers.dropFirst())

    private static let keyMembers: [Shape<APIKey>.Member] = [
        .member("id") { $0.id },
        .member("name", .words(max: APIKey.nameMax, example: "My program")) { $0.name },
        .member("prefix", .string(15...15, example: "gh_4Yp0Qm7Zt1Vn")) {
            APIKeyText.shownPrefix(publicID: $0.publicID)
        },
        .member("last_four", .string(4...4, example: "8Rk3")) { $0.lastFour },
        .member("scopes") { $0.scopes },
        .member("limits") { $0.limits },
        .member("allowed_cidrs", .array(.network, 0...APIKey.networksMax)) {
            $0.allowedNetworks.map(\.description)
        },
        .member("expires_at") { $0.expiresAt },
        .member("last_used_at") { $0.lastUsedAt },
        .member("revoked_at") { $0.revokedAt },
        .member("created_at") { $0.createdAt },
    ]

    private static let sampleKey = "gh_4Yp0Qm7Zt1VnXb6Wd9Gs2Hf5Jc0Lq7Ea4Tu1Oi8Py0Rk3Nz8Rk"
}

extension JSONWriter {
    /// `ApiKey`; with the key itself in the one answer that shows it, and with whose it is where
    /// keys of several people stand.
    mutating func apiKey(_ key: APIKey, text: APIKeyText? = nil, showsOwner: Bool = false) {
        if let text { return write((key, text.text), as: Shapes.newAPIKey) }
        write(key, as: showsOwner ? Shapes.ownedAPIKey : Shapes.apiKey)
    }
}
