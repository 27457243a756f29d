import Domain
import HTTPTypes
import Store

extension Appliance {
    var sessionRoutes: [Route] {
        [
            Route(.get, "/api/v1/me/sessions", .user, .listSessions) { call throws(Problem) in
                let caller = try call.signedIn()
                let now = call.now
                let sessions = try await self.store.read { db throws(Problem) in
                    try db.sessions.live(of: caller.userID, at: now)
                }
                return .list(sessions, nextCursor: nil) { json, session in
                    json.session(session, isCurrent: session.id == caller.sessionID)
                }
            },
            Route(.delete, "/api/v1/me/sessions", .user, .endOtherSessions) {
                call throws(Problem) in
                let caller = try call.signedIn()
                try await self.signOutEverywhere(
                    caller.userID, except: caller.sessionID, by: caller.actor,
                    from: call.origin, at: call.now)
                return .noContent
            },
            Route(.delete, "/api/v1/me/sessions/{id}", .user, .endSession) { call throws(Problem) in
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

extension Shapes {
    static let session = Shape<(session: Session, isCurrent: Bool)>(
        "Session",
        [
            .member("id") { $0.session.id },
            .member("created_at") { $0.session.createdAt },
            .member("last_used_at") { $0.session.lastUsedAt },
            .member("expires_at") { $0.session.expiresAt },
            .member("user_agent", .string(example: "curl/8.0")) { $0.session.userAgent },
            .member("ip", .string(example: "192.0.2.7")) { $0.session.address },
            .member("current") { $0.isCurrent },
        ])
}

extension JSONWriter {
    /// `Session`.
    mutating func session(_ session: Session, isCurrent: Bool) {
        write((session, isCurrent), as: Shapes.session)
    }
}
