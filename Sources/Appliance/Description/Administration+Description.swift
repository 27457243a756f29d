import Domain
import HTTPTypes
import Store

extension Operation {
    static let listUsers = Operation(
        "listUsers", .users, "All users",
        parameters: [
            .query("q", text("ann"), "A part of the address or the name."),
            .query("role", .words(Account.Role.self), "With that role."),
            .query("active", .words(Appliance.YesNo.self), "Active or not."),
            .query("plan", .slug, "On that plan."),
            .query("sort", .words(Accounts.Order.self), "-created_at where it is left out."),
        ] + .listing,
        replies: [Reply.list(Shapes.user).orCSV], problems: [.validationFailed])

    static let inviteUser = Operation(
        "inviteUser", .users, "Make a user, who gets a mail to choose a password",
        body: .json([
            .needed("email", .email), .optional("name", personName),
            .optional("role", .words(Account.Role.self)),
        ]),
        replies: [.shape(Shapes.user, .created, "The user.")], problems: [.emailTaken])

    static let showUser = Operation(
        "showUser", .users, "One user", replies: [.shape(Shapes.user)])

    static let updateUser = Operation(
        "updateUser", .users, "Change a user",
        detail: """
            A change of role, or of an admin, needs a recent sign-in. A new role, or a \
            deactivation, ends every session of the user, the caller's own too.
            """,
        body: .json([
            .optional("role", .words(Account.Role.self)), .optional("is_active", .boolean),
            .optional("name", personName), .optional("email_verified", .boolean),
        ]),
        replies: [.shape(Shapes.user)], problems: [.lastAdmin])

    static let showUserUsage = Operation(
        "showUserUsage", .users, "What a user has used", replies: [.shape(Shapes.usageReport)])

    static let listUserSessions = Operation(
        "listUserSessions", .users, "Where a user is signed in",
        replies: [.list(Shapes.session)])

    static let endUserSessions = Operation(
        "endUserSessions", .users, "Sign a user out everywhere, at once", replies: [.noContent])

    static let sendUserReset = Operation(
        "sendUserReset", .users, "Mail a user a link to set a new password",
        replies: [.accepted], problems: [.conflict, .rateLimited])

    static let listAllKeys = Operation(
        "listAllKeys", .users, "All API keys",
        parameters: [
            .query("user_id", .id, "Of that user."),
            .query("active", .words(Appliance.YesNo.self), "That still work, or not."),
        ] + .listing,
        replies: [Reply.list(Shapes.ownedAPIKey).orCSV])

    static let revokeAnyKey = Operation(
        "revokeAnyKey", .users, "Revoke anybody's API key", replies: [.noContent])

    private static let personName = Schema.words(max: Account.nameMax, example: "Ann")
}

extension Operation {
    static let listAllPlans = Operation(
        "listAllPlans", .subscriptions, "All plans, archived ones too", parameters: .listing,
        replies: [Reply.list(Shapes.plan).orCSV])

    static let createPlan = Operation(
        "createPlan", .subscriptions, "Make a plan",
        body: .json([
            .needed("slug", .slug), .needed("name", planName),
            .optional("description", planDescription), .needed("limits", .limits),
            .optional("self_service", .boolean), .optional("is_default", .boolean),
        ]),
        replies: [.shape(Shapes.plan, .created, "The plan.")], problems: [.conflict])

    static let updatePlan = Operation(
        "updatePlan", .subscriptions, "Change a plan",
        detail: "New limits hold from the next request on.",
        body: .json([
            .optional("name", planName), .optional("description", planDescription),
            .optional("limits", .limits), .optional("self_service", .boolean),
            .optional("is_default", .boolean),
        ]),
        replies: [.shape(Shapes.plan)], problems: [.conflict])

    static let archivePlan = Operation(
        "archivePlan", .subscriptions, "Archive a plan", replies: [.shape(Shapes.plan)],
        problems: [.conflict])

    static let listSubscriptions = Operation(
        "listSubscriptions", .subscriptions, "All subscriptions",
        parameters: [
            .query("user_id", .id, "Of that user."), .query("plan", .slug, "To that plan."),
            .query("status", .words(Subscription.Status.self), "With that status."),
        ] + .listing,
        replies: [Reply.list(Shapes.subscription).orCSV])

    static let giveSubscription = Operation(
        "giveSubscription", .subscriptions, "Give a user a plan",
        body: .json([
            .needed("user_id", .id), .needed("plan", slugInput), .optional("expires_at", .future),
        ]),
        replies: [.shape(Shapes.subscription, .created, "The subscription.")])

    static let updateSubscription = Operation(
        "updateSubscription", .subscriptions, "Change, extend or cancel a subscription",
        body: .json([
            .optional("plan", slugInput), .optional("expires_at", .future),
            .optional("status", .words(["canceled"])),
        ]),
        replies: [.shape(Shapes.subscription)], problems: [.conflict])

    static let listUsage = Operation(
        "listUsage", .subscriptions, "Who used how much in a period",
        parameters: [
            .query("metric", .metric, "requests where it is left out."),
            .query("period", .period, "This month where it is left out."),
            .query("user_id", .id, "Each metric of that user."),
            .query("sort", .words(["-value", "user_id"]), "-value where it is left out."),
        ] + .listing,
        replies: [
            Reply.list(
                Shapes.consumer,
                head: [
                    .needed("metric", Schema.metric.orNull), .needed("period", .period),
                    .absentable("total", .integer()),
                ]
            ).orCSV
        ])

    private static let planName = Schema.words(max: Plan.nameMax, example: "Free")
    private static let planDescription = Schema.words(
        max: Plan.descriptionMax, example: "To try it.")
    private static let slugInput = Schema.words(max: Plan.slugMax, example: "free")
}

extension Operation {
    static let showStats = Operation(
        "showStats", .operations, "Totals and series for a dashboard, 5 s old at most",
        replies: [.shape(Shapes.dashboard)])

    static let listAudit = Operation(
        "listAudit", .operations, "The audit log, the newest first",
        parameters: [
            .query("actor", text("user:019361a4"), "Who did it."),
            .query("action", text("plan.updated"), "What was done."),
            .query("target", text("plan:free"), "To what."),
            .query("from", .time, "Not before."), .query("to", .time, "Before."),
        ] + .listing,
        replies: [Reply.list(Shapes.auditEntry).orCSV])

    static let verifyAudit = Operation(
        "verifyAudit", .operations, "Whether the audit log's chain of hashes holds",
        replies: [.shape(Shapes.auditWalk)])

    static let listBackups = Operation(
        "listBackups", .operations, "The backups there are", parameters: .page,
        replies: [.list(Shapes.backup)])

    static let makeBackup = Operation(
        "makeBackup", .operations, "Make a backup now", detail: "Answers when it is whole.",
        body: .optional([]),
        replies: [Reply.shape(Shapes.backup, .created, "The backup.").located],
        problems: [.conflict])

    static let downloadBackup = Operation(
        "downloadBackup", .operations, "Download a backup",
        detail: "It has everybody's secrets: it takes an admin, and of a key admin:write.",
        replies: [
            Reply.text("application/octet-stream", "The file.")
                .with(.contentDisposition, .string(example: "attachment"), "Its name.")
                .with(.eTag, .string(example: "\"1f3a\""), "Of the file.")
        ])

    static let listJobs = Operation(
        "listJobs", .operations, "Background jobs, the newest first",
        parameters: [
            .query("kind", text("send_mail"), "Of that kind."),
            .query("state", .words(Job.State.self), "In that state."),
        ] + .page,
        replies: [.list(Shapes.job)])

    static let listSchedules = Operation(
        "listSchedules", .operations, "What comes again and again, and when next",
        replies: [.list(Shapes.schedule)])

    static let retryJob = Operation(
        "retryJob", .operations, "Try a job again now", replies: [.shape(Shapes.job)],
        problems: [.conflict])

    fileprivate static func text(_ example: String) -> Schema {
        .string(0...Call.queryTextMax, example: example)
    }
}
