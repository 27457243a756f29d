import Domain
import HTTPTypes
import Store

extension Appliance {
    var adminKeyRoutes: [Route] {
        [
            Route(.get, "/api/v1/admin/api-keys", .adminRead, .listAllKeys) {
                call throws(Problem) in
                var filter = APIKeys.Filter()
                filter.user = try call.queryUser()
                filter.isLive = try call.queryChoice("active", YesNo.self).map { $0 == .true }
                let (wanted, now) = (filter, call.now)
                let listing = Listing<APIKey>(
                    name: "api-keys", filters: ["user_id", "active"],
                    columns: [
                        "id", "user_id", "name", "prefix", "last_four", "scopes", "allowed_cidrs",
                        "expires_at", "last_used_at", "revoked_at", "created_at",
                    ],
                    write: { $0.apiKey($1, showsOwner: true) }, position: { "\($0.id)" },
                    read: { db, page throws(Problem) in
                        try db.apiKeys.list(wanted, at: now, page)
                    })
                return try await self.answer(listing, to: call)
            },
            Route(.delete, "/api/v1/admin/api-keys/{id}", .adminWrite, .revokeAnyKey) {
                call throws(Problem) in
                try await self.adminRevokeKey(call)
            },
        ]
    }

    private func adminRevokeKey(_ call: Call) async throws(Problem) -> Answer {
        let id: APIKeyID = try call.id("API key")
        let caller = try call.signedIn()
        try demandRecentSignIn(caller, at: call.now)
        let actor = caller.actor
        let origin = call.origin
        let now = call.now
        let key = try await store.write { db throws(Problem) in
            guard let key = try db.apiKeys.find(id) else { throw Problem.notFound("API key") }
            if try db.apiKeys.revoke(id, at: now) {
                try db.audit.append(
                    origin.event(
                        "api_key.revoked", by: actor, on: "api_key:\(id)",
                        meta: [JSON.Member("owner", .string("user:\(key.userID)"))]),
                    at: now)
                try self.forgetLater(key, db, at: now)
            }
            return key
        }
        authenticator.forget(key: key)
        return .noContent
    }
}
