import Domain
import HTTPTypes
import Store

extension Appliance {
    var sessionRoutes: [Route] {
        [
            Route(.get, "/api/v1/me/sessions", .user) { call throws(Problem) in
                let caller = try call.signedIn()
                let now = call.now
                let sessions = try await self.store.read { db throws(Problem) in
                    try db.sessions.live(of: caller.userID, at: now)
                }
                return .list(sessions, nextCursor: nil) { json, session in
                    json.session(session, isCurrent: session.id == caller.sessionID)
                }
            },
            Route(.delete, "/api/v1/me/sessions", .user) { call throws(Problem) in
                let caller = try call.signedIn()
                try await self.signOutEverywhere(
                    caller.userID, except: caller.sessionID, by: caller.actor,
                    from: call.origin, at: call.now)
                return .noContent
            },
            Route(.delete, "/api/v1/me/sessions/{id}", .user) { call throws(Problem) in
                let caller = try call.signedIn()
                let id: SessionID = try call.id("session")
                let session = try await self.store.read { db throws(Problem) in
                    try db.sessions.find(id)
                }
                guard let session, session.userID == caller.userID, session.isLive(at: call.now)
                else { throw .notFound("session") }
                try await self.signOut(id, of: caller.userID, from: call.origin, at: call.now)
                return .noContent
            },
        ]
    }
}

extension JSONWriter {
    /// `Session`.
    mutating func session(_ session: Session, isCurrent: Bool) {
        object { json in
            json.member("id", session.id)
            json.member("created_at", session.createdAt)
            json.member("last_used_at", session.lastUsedAt)
            json.member("expires_at", session.expiresAt)
            json.member("user_agent", session.userAgent)
            json.member("ip", session.address)
            json.member("current", isCurrent)
        }
    }
}
