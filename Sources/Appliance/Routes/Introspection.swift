import Domain
import HTTPTypes

extension Appliance {
    /// Token introspection (RFC 7662) for services that cannot verify a token themselves or want to
    /// know of a revocation at once.
    var introspectionRoutes: [Route] {
        [
            Route(.post, "/api/v1/auth/introspect", .scope(.tokensIntrospect)) {
                call throws(Problem) in
                let text = try await Self.introspected(call)
                return await self.introspection(of: text, at: call.now)
            }
        ]
    }

    /// The `token` of a form-encoded body. Other parameters, such as `token_type_hint`, are
    /// extensions that a server may ignore (RFC 7662, 2.1).
    private static func introspected(_ call: Call) async throws(Problem) -> String {
        let token = try await call.urlEncoded("token")
        guard let token, !token.isEmpty else {
            throw .invalid("token", "required", "This field is needed.")
        }
        return token
    }

    /// A token that is not good is inactive, and nothing else is said of it (security T8).
    private func introspection(of text: String, at now: Timestamp) async -> Answer {
        let inactive = Answer.json { json in json.object { $0.member("active", false) } }
        let caller: Caller
        do throws(Problem) {
            caller = try await authenticator.caller(
                Credential(bearer: text), at: now, address: { nil })
        } catch {
            return inactive
        }
        guard !caller.isHeldBack else { return inactive }
        let token = caller.key == nil ? tokens.verify(text, at: now) : nil
        return .json { json in
            json.object { json in
                json.member("active", true)
                json.member("token_type", "Bearer")
                json.member("sub", caller.userID)
                json.member("username", caller.account.email.description)
                json.member(
                    "scope", caller.scopes.words.joined(separator: " "))
                json.member("iss", tokens.issuer)
                if let token {
                    json.member("aud", tokens.audience)
                    json.member("jti", token.id)
                    json.member("sid", token.sessionID)
                    json.member("iat", token.issuedAt.seconds)
                    json.member("exp", token.expiresAt.seconds)
                } else if let key = caller.key {
                    json.member("client_id", key.id)
                    json.member("iat", key.createdAt.seconds)
                    if let end = key.expiresAt { json.member("exp", end.seconds) }
                }
            }
        }
    }
}
