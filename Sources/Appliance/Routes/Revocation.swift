import Domain
import HTTPTypes
import Store

extension Appliance {
    /// Token revocation (RFC 7009), for clients that know the standard and not our sign-out.
    var revocationRoutes: [Route] {
        [
            Route(.post, "/api/v1/auth/revoke", .scope(.tokensIntrospect), .revokeToken) {
                call throws(Problem) in
                let caller = try call.signedIn()
                let token = Secret(try await call.sentToken())
                try await self.revoke(token, of: caller.userID, from: call.origin, at: call.now)
                return Answer(.ok)
            }
        ]
    }

    /// Ends the session of a token, if it is this user's; of any other nothing is said, not even
    /// that it is one (security T8).
    ///
    /// It is no new power: who has a token can sign out with it. So a scope that only asks will do,
    /// and does no more here, though it may ask about everybody's tokens: ending the sessions of
    /// others is an admin's call of its own, under the admin's name in the audit log.
    private func revoke(
        _ token: Secret, of user: UserID, from origin: Origin, at now: Timestamp
    ) async throws(Problem) {
        let access = tokens.verify(token.text, at: now)
        let hash = OpaqueToken.hash(of: token)
        let session = try await store.read { db throws(Problem) -> Session? in
            if let access { return try db.sessions.find(access.sessionID) }
            return try db.sessions.find(tokenHash: hash)?.session
        }
        guard let session, session.userID == user, session.isLive(at: now) else { return }
        try await signOut(session.id, of: user, from: origin, at: now)
    }
}
