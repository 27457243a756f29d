import Domain
import HTTPTypes

extension Operation {
    static let showMe = Operation(
        "showMe", .account, "Who you are", replies: [.shape(Shapes.user)])

    static let updateMe = Operation(
        "updateMe", .account, "Change your name or address",
        detail: "A new address needs the current password, and is unverified again.",
        body: .json([
            .optional("name", .words(max: Account.nameMax, example: "Ann")),
            .optional("email", .email), .absentable("current_password", .password),
        ]),
        replies: [.shape(Shapes.user)], problems: [.invalidCredentials, .emailTaken, .rateLimited])

    static let changePassword = Operation(
        "changePassword", .account, "Change your password", detail: "Ends your other sessions.",
        body: .json([
            .needed("current_password", .password), .needed("new_password", .newPassword),
        ]),
        replies: [.noContent],
        problems: [.invalidCredentials, .weakPassword, .conflict, .rateLimited])

    static let deleteMe = Operation(
        "deleteMe", .account, "Delete your account",
        detail: "Keys and sessions end at once, and personal data is erased.",
        body: .json([.needed("current_password", .password)]), replies: [.noContent],
        problems: [.invalidCredentials, .lastAdmin, .rateLimited])

    static let listSessions = Operation(
        "listSessions", .account, "Where you are signed in", replies: [.list(Shapes.session)])

    static let endOtherSessions = Operation(
        "endOtherSessions", .account, "Sign out everywhere else", replies: [.noContent])

    static let endSession = Operation(
        "endSession", .account, "End one of your sessions", replies: [.noContent])

    static let enrolTotp = Operation(
        "enrolTotp", .account, "Begin to turn one-time codes on", body: .optional([]),
        replies: [.shape(Shapes.enrolment, note: "For the authenticator app.")],
        problems: [.conflict])

    static let confirmTotp = Operation(
        "confirmTotp", .account, "Turn one-time codes on with the first code",
        body: .json([
            .needed(
                "code",
                .string(
                    TOTP.digitCount...TOTP.digitCount, pattern: "^[0-9]{6}$", example: "492039"))
        ]),
        replies: [.shape(Shapes.recoveryCodes, note: "They are shown this once.")],
        problems: [.conflict, .invalidCredentials, .rateLimited])

    static let removeTotp = Operation(
        "removeTotp", .account, "Turn one-time codes off",
        body: .json([.needed("current_password", .password)]), replies: [.noContent],
        problems: [.invalidCredentials, .notFound, .rateLimited])
}

extension Operation {
    static let listKeys = Operation(
        "listKeys", .keys, "Your API keys, the newest first", parameters: .page,
        replies: [.list(Shapes.apiKey)])

    static let createKey = Operation(
        "createKey", .keys, "Make an API key",
        detail: """
            The key is shown in this answer alone. It never has more than its owner; its limits \
            narrow the plan's. A key with admin:write needs a recent sign-in.
            """,
        body: .json([
            .needed("name", keyName), .needed("scopes", scopes), .optional("limits", .limits),
            .optional("allowed_cidrs", networks), .optional("expires_at", .future),
        ]),
        replies: [.shape(Shapes.newAPIKey, .created, "The key.")], problems: [.conflict])

    static let showKey = Operation(
        "showKey", .keys, "One of your API keys", replies: [.shape(Shapes.apiKey)])

    static let updateKey = Operation(
        "updateKey", .keys, "Change an API key",
        body: .json([
            .absentable("name", keyName.orNull), .optional("scopes", scopes),
            .optional("limits", .limits), .optional("allowed_cidrs", networks),
            .optional("expires_at", .future),
        ]),
        replies: [.shape(Shapes.apiKey)], problems: [.conflict])

    static let revokeKey = Operation(
        "revokeKey", .keys, "Revoke an API key", replies: [.noContent])

    static let rotateKey = Operation(
        "rotateKey", .keys, "Give an API key a new secret",
        body: .optional([
            .optional(
                "overlap_seconds",
                .integer(0...Appliance.overlapSecondsMax, example: 3600)
                    .noted("For how long the old one still works."))
        ]),
        replies: [.shape(Shapes.newAPIKey, note: "The key, shown this once.")],
        problems: [.conflict])

    private static let keyName = Schema.words(max: APIKey.nameMax, example: "My program")
    private static let scopes = Schema.array(.words(Scope.self), 0...Scope.allCases.count)
    private static let networks = Schema.array(.network, 0...APIKey.networksMax)
}
