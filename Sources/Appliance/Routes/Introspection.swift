import Domain
import HTTPTypes

extension Appliance {
    /// Token introspection (RFC 7662) for services that cannot verify a token themselves or want to
    /// know of a revocation at once.
    var introspectionRoutes: [Route] {
        [
            Route(.post, "/api/v1/auth/introspect", .scope(.tokensIntrospect), .introspect) {
                call throws(Problem) in
                let text = try await call.sentToken()
                guard text.unicodeScalars.count <= Self.introspectedMax else {
                    throw .invalid(
                        "token", "too_long", "At most \(Self.introspectedMax) characters.")
                }
                return await self.introspection(of: text, at: call.now)
            }
        ]
    }

    /// Characters; a token of ours has less than a thousand.
    static let introspectedMax = 4096

    /// A token that is not good is inactive, and nothing else is said of it (security T8).
    private func introspection(of text: String, at now: Timestamp) async -> Answer {
        let inactive = Answer.json { $0.write(nil, as: Shapes.introspection) }
        let caller: Caller
        do throws(Problem) {
            caller = try await authenticator.caller(
                Credential(bearer: text), at: now, address: { nil })
        } catch {
            return inactive
        }
        guard !caller.isHeldBack else { return inactive }
        let token = caller.key == nil ? tokens.verify(text, at: now) : nil
        let known = Introspected(
            caller: caller, token: token, issuer: tokens.issuer, audience: tokens.audience)
        return .json { $0.write(known, as: Shapes.introspection) }
    }
}

extension Call {
    /// The `token` of a form-encoded body. A server may ignore other parameters, such as
    /// `token_type_hint` (RFC 7662, 2.1; RFC 7009, 2.1).
    func sentToken() async throws(Problem) -> String {
        let token = try await urlEncoded("token")
        guard let token, !token.isEmpty else {
            throw .invalid("token", "required", "This field is needed.")
        }
        return token
    }
}

/// A token or key that is good. A token has parts that a key has not, and the other way round.
struct Introspected: Sendable {
    let caller: Caller
    let token: AccessToken?
    let issuer: String
    let audience: String
}

extension Shapes {
    /// RFC 7662, 2.2. Nil: the token is not good.
    static let introspection = Shape<Introspected?>(
        "Introspection",
        [
            .member("active") { $0 != nil },
            .absentable("token_type", .words(["Bearer"])) { $0.map { _ in "Bearer" } },
            .absentable("sub") { $0?.caller.userID },
            .absentable("username", .email) { $0?.caller.account.email.description },
            .absentable("scope", .string(example: "gate items:read")) {
                $0?.caller.scopes.words.joined(separator: " ")
            },
            .absentable("iss", .string(example: "https://id.example.com")) { $0?.issuer },
            .absentable("aud", .string(example: "gatehouse")) { known in
                known?.token == nil ? nil : known?.audience
            },
            .absentable("jti", .string()) { $0?.token?.id },
            .absentable("sid") { $0?.token?.sessionID },
            .absentable("client_id") { $0?.caller.key?.id },
            .absentable("iat", .integer(example: 1_763_913_120)) {
                ($0?.token?.issuedAt ?? $0?.caller.key?.createdAt)?.seconds
            },
            .absentable("exp", .integer(example: 1_763_914_020)) {
                ($0?.token?.expiresAt ?? $0?.caller.key?.expiresAt)?.seconds
            },
        ])
}
