import Domain
import HTTPTypes

extension Operation {
    static let register = Operation(
        "register", .authentication, "Make an account",
        detail: """
            Where auth.require_verified_email is on, the answer is 202 whether the address is \
            taken or not, and a mail says the rest.
            """,
        body: .json([
            .needed("email", .email), .needed("password", .newPassword),
            .optional("name", .words(max: Account.nameMax, example: "Ann")),
        ]),
        replies: [
            .shape(Shapes.user, .created, "The account."),
            .json(
                .accepted,
                Schema.object([.needed("status", .words(["verification_sent"]))])
                    .named("VerificationSent"), "A mail is on its way."),
        ], problems: [.emailTaken, .weakPassword, .rateLimited])

    static let login = Operation(
        "login", .authentication, "Sign in",
        detail: """
            Every wrong combination has the same answer in the same time. otp_required comes after \
            a right password where one-time codes are on: send it again with otp.
            """,
        parameters: [
            .query(
                "session", .words(["cookie"]),
                "The refresh token goes into a cookie and is left out of the body.")
        ],
        body: .json([
            .needed("email", .email), .needed("password", .password),
            .optional("otp", .string(1...512, example: "492039")),
        ]),
        replies: [pair], problems: [.invalidCredentials, .otpRequired, .forbidden, .rateLimited])

    static let refresh = Operation(
        "refresh", .authentication, "Exchange a refresh token for the next pair",
        detail: """
            Single use: keep the new one. Who lost the answer asks again with the old one; an \
            older one ends the session. Without a body the token is the cookie's, which \
            same-origin pages alone may use.
            """,
        body: .optional([.optional("refresh_token", .token)]),
        replies: [pair],
        problems: [.invalidRefreshToken, .refreshTokenReused, .csrf, .unauthorized, .forbidden])

    static let logout = Operation(
        "logout", .authentication, "Sign out",
        detail: """
            Ends the session of the refresh token, the cookie or the access token; all ends each \
            session of the account and needs an access token.
            """,
        body: .optional([.optional("refresh_token", .token), .optional("all", .boolean)]),
        replies: [
            Reply.noContent.with(
                .setCookie, .string(example: "gatehouse_refresh=; Max-Age=0"),
                "Where the cookie was used.", isAlways: false)
        ], problems: [.unauthorized, .csrf, .forbidden], credential: .optionalToken)

    static let forgotPassword = Operation(
        "forgotPassword", .authentication, "Ask for a mail to set a new password",
        body: .json([.needed("email", .email)]), replies: [.accepted], problems: [.rateLimited])

    static let resetPassword = Operation(
        "resetPassword", .authentication, "Set a new password with a mailed token",
        detail: "Ends every session.",
        body: .json([.needed("token", .token), .needed("password", .newPassword)]),
        replies: [.noContent], problems: [.invalidToken, .weakPassword])

    static let verifyEmail = Operation(
        "verifyEmail", .authentication, "Verify an e-mail address with a mailed token",
        body: .json([.needed("token", .token)]), replies: [.noContent],
        problems: [.invalidToken])

    static let resendVerification = Operation(
        "resendVerification", .authentication, "Ask for the verification mail again",
        body: .json([.needed("email", .email)]), replies: [.accepted], problems: [.rateLimited])

    static let setUp = Operation(
        "setUp", .authentication, "Create the first admin with the token of the first start",
        body: .json([
            .needed("token", .token), .needed("email", .email), .needed("password", .newPassword),
        ]),
        replies: [.shape(Shapes.tokenPair, .created, "The admin's first session.")],
        problems: [.notFound, .invalidToken, .emailTaken, .weakPassword, .rateLimited])

    static let introspect = Operation(
        "introspect", .authentication, "Ask about a token (RFC 7662)",
        detail: "Of a token that is not good the answer says that it is inactive, and no more.",
        body: .urlEncoded([
            .needed(
                "token", .string(1...Appliance.introspectedMax, example: "eyJhbGciOiJFZERTQSJ9"))
        ]),
        replies: [.shape(Shapes.introspection)])

    static let revokeToken = Operation(
        "revokeToken", .authentication, "Revoke a token (RFC 7009)",
        detail: """
            Ends the session of an access or refresh token of the caller's own account, as signing \
            out does. Of every other token the answer is the same, and nothing happens. \
            token_type_hint may be sent, and is not needed.
            """,
        body: .urlEncoded([
            .needed(
                "token",
                .string(1...Route.bodyMaxDefault, example: "ghr_4Yp0Qm7Zt1Vn8Rk3Xb6Wd9Gs2Hf5Jc0L"))
        ]),
        replies: [.carriedOut])

    static let showKeySet = Operation(
        "showKeySet", .authentication, "The public keys that access tokens are verified with",
        detail: "RFC 7517. With HS256 there is none.",
        replies: [
            Reply.json(keySet).with(
                .cacheControl, .string(example: "public, max-age=300"), "It may be kept.")
        ])

    private static let pair =
        Reply.shape(Shapes.tokenPair, note: "Signed in.").with(
            .setCookie, .string(example: "gatehouse_refresh=ghr_4Yp0; HttpOnly; SameSite=Strict"),
            "Of ?session=cookie.", isAlways: false)

    private static let keySet = Schema.object([
        .needed(
            "keys",
            .array(
                Schema.object(
                    [
                        .needed("kty", .words(["OKP", "EC", "RSA"])),
                        .needed("kid", .string()),
                        .needed("alg", .words(SigningAlgorithm.self)),
                        .needed("use", .words(["sig"])),
                    ], isOpen: true
                ).named("PublicKey")))
    ]).named("KeySet")
}
