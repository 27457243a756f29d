import Domain
import HTTPTypes

extension Appliance {
    var authenticationRoutes: [Route] {
        [
            Route(
                .post, "/api/v1/auth/register", .open, .register, isThrottled: false, creates: true
            ) {
                call throws(Problem) in try await self.register(call)
            },
            Route(.post, "/api/v1/auth/login", .open, .login, isThrottled: false) {
                call throws(Problem) in try await self.login(call)
            },
            Route(.post, "/api/v1/auth/refresh", .open, .refresh) {
                call throws(Problem) in try await self.refresh(call)
            },
            Route(.post, "/api/v1/auth/logout", .open, .logout) {
                call throws(Problem) in try await self.logout(call)
            },
            Route(.post, "/api/v1/auth/forgot-password", .open, .forgotPassword, isThrottled: false)
            {
                call throws(Problem) in
                let email = try await Self.emailOnly(call)
                try await self.forgotPassword(email, from: call.origin, at: call.now)
                return Answer(.accepted)
            },
            Route(.post, "/api/v1/auth/reset-password", .open, .resetPassword) {
                call throws(Problem) in
                var form = try await call.form()
                let token = form.token("token")
                let password = form.password("password")
                let (link, new) = try form.finish(token, password)
                try await self.resetPassword(link, to: new, from: call.origin, at: call.now)
                return .noContent
            },
            Route(.post, "/api/v1/auth/verify-email", .open, .verifyEmail) { call throws(Problem) in
                var form = try await call.form()
                let token = form.token("token")
                try await self.verifyEmail(
                    try form.finish(token), from: call.origin, at: call.now)
                return .noContent
            },
            Route(
                .post, "/api/v1/auth/resend-verification", .open, .resendVerification,
                isThrottled: false
            ) {
                call throws(Problem) in
                let email = try await Self.emailOnly(call)
                try await self.resendVerification(to: email, from: call.origin, at: call.now)
                return Answer(.accepted)
            },
            Route(.post, "/api/v1/setup", .open, .setUp, creates: true) { call throws(Problem) in
                var form = try await call.form()
                let token = form.token("token")
                let email = form.email("email")
                let password = form.password("password")
                let (link, address, secret) = try form.finish(token, email, password)
                let pair = try await self.setUp(
                    token: link, email: address, password: secret, from: call.origin, at: call.now
                ) { pair, db throws(Problem) in try call.keep(Self.created(pair), db) }
                return Self.created(pair)
            },
            Route(.get, "/.well-known/jwks.json", .open, .showKeySet) { call throws(Problem) in
                Answer.json { $0.value(self.keyRing.jwks(at: call.now)) }
                    .with(.cacheControl, "public, max-age=300")
            },
        ]
    }

    private static func created(_ pair: TokenPair) -> Answer {
        .json(.created) { $0.tokenPair(pair, withRefreshToken: true) }
    }

    private static func emailOnly(_ call: Call) async throws(Problem) -> EmailAddress {
        var form = try await call.form()
        let email = form.email("email")
        return try form.finish(email)
    }

    private func register(_ call: Call) async throws(Problem) -> Answer {
        var form = try await call.form()
        let email = form.email("email")
        let password = form.password("password")
        let name = form.words("name", max: Account.nameMax, required: false)
        let (address, secret) = try form.finish(email, password)
        let registered = try await register(
            email: address, password: secret, name: name, from: call.origin, at: call.now
        ) { registered, db throws(Problem) in try call.keep(Self.answer(registered), db) }
        return Self.answer(registered)
    }

    private static func answer(_ registered: Registered) -> Answer {
        switch registered {
        case .account(let snapshot): return .json(.created, encoded: snapshot.encoded)
        case .verificationSent:
            return .json(.accepted) { json in
                json.object { $0.member("status", "verification_sent") }
            }
        }
    }

    private func login(_ call: Call) async throws(Problem) -> Answer {
        var form = try await call.form()
        let email = form.email("email")
        let password = form.password("password")
        let otp = form.token("otp", required: false)
        let usesCookie = try usesCookie(call)
        let (address, secret) = try form.finish(email, password)
        do throws(Problem) {
            let pair = try await signIn(
                email: address, password: secret, otp: otp, from: call.origin, at: call.now)
            signIns.count("signed_in")
            return answer(pair, usesCookie: usesCookie)
        } catch {
            signIns.count(error.code.rawValue)
            throw error
        }
    }

    /// A cookie that is not `Secure` may go to a loopback address only (security S2).
    private func usesCookie(_ call: Call) throws(Problem) -> Bool {
        switch call.query("session") {
        case nil: return false
        case "cookie":
            guard configuration.isSecure || call.address?.isLoopback == true else {
                throw .invalid(
                    "session", "insecure",
                    "Cookies need TLS: server.public_url has to begin with https://.")
            }
            return true
        default: throw .invalid("session", "invalid", "Expected: cookie.")
        }
    }

    private func refresh(_ call: Call) async throws(Problem) -> Answer {
        var form = try await call.optionalForm()
        let sent = form.token("refresh_token", required: false)
        try form.finish()
        guard let (token, isCookie) = try refreshToken(sent, call) else {
            throw .invalid("refresh_token", "required", "Send the token, or its cookie.")
        }
        let pair = try await refresh(token, from: call.origin, at: call.now)
        return answer(pair, usesCookie: isCookie)
    }

    private func logout(_ call: Call) async throws(Problem) -> Answer {
        var form = try await call.optionalForm()
        let sent = form.token("refresh_token", required: false)
        let all = form.bool("all") ?? false
        try form.finish()
        let token = try refreshToken(sent, call)
        let headers = call.request.headers
        var caller: Caller?
        if headers[.authorization] != nil, all || token == nil {
            caller = try await authenticator.caller(Credential(headers), at: call.now) {
                call.address
            }
        }
        if all {
            guard let caller, caller.key == nil else { throw Authenticator.refused }
            try await signOutEverywhere(
                caller.userID, by: caller.actor, from: call.origin, at: call.now)
        } else if let token {
            try await signOut(refreshToken: token.0, from: call.origin, at: call.now)
        } else if let caller, let session = caller.sessionID {
            try await signOut(session, of: caller.userID, from: call.origin, at: call.now)
        } else {
            throw Authenticator.refused
        }
        return token?.isCookie == true
            ? Answer.noContent.with(.setCookie, refreshCookie.cleared) : .noContent
    }

    /// The token of the body, or else the cookie's, which only our own pages may use (C1).
    private func refreshToken(
        _ sent: Secret?, _ call: Call
    ) throws(Problem) -> (Secret, isCookie: Bool)? {
        if let sent { return (sent, false) }
        guard let value = refreshCookie.value(in: call.request.headers) else { return nil }
        try SameOrigin.check(call.request)
        return (value, true)
    }

    private func answer(_ pair: TokenPair, usesCookie: Bool) -> Answer {
        let answer = Answer.json { $0.tokenPair(pair, withRefreshToken: !usesCookie) }
        guard usesCookie else { return answer }
        return answer.with(
            .setCookie, refreshCookie.holding(pair.refreshToken, for: pair.refreshExpiresIn))
    }

    private var refreshCookie: RefreshCookie {
        RefreshCookie(isSecure: configuration.isSecure)
    }
}

extension Shapes {
    static let tokenPair = Shape<(pair: TokenPair, withRefreshToken: Bool)>(
        "TokenPair",
        [
            .member("token_type", .words(["Bearer"])) { _ in "Bearer" },
            .member("access_token", .string(example: "eyJhbGciOiJFZERTQSJ9.e30.c2ln")) {
                $0.pair.accessToken
            },
            .member("expires_in", .seconds(900)) { $0.pair.accessExpiresIn.secondsUp },
            .absentable("refresh_token", .token.noted("Left out where it is in the cookie.")) {
                $0.withRefreshToken ? $0.pair.refreshToken.text : nil
            },
            .member("refresh_expires_in", .seconds(2_592_000)) {
                $0.pair.refreshExpiresIn.secondsUp
            },
            .object("user", user) { ($0.pair.snapshot.account, $0.pair.snapshot.plan) },
        ])
}

extension JSONWriter {
    /// `TokenPair`.
    fileprivate mutating func tokenPair(_ pair: TokenPair, withRefreshToken: Bool) {
        write((pair, withRefreshToken), as: Shapes.tokenPair)
    }
}
