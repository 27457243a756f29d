import ArgumentParser
import Domain

struct UserCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "user", abstract: "Users, whether the daemon runs or not.",
        discussion: "USER is an e-mail address or an id.",
        subcommands: [
            List.self, Show.self, Activate.self, Deactivate.self, RevokeSessions.self,
            ResetTOTP.self,
        ])

    fileprivate static let columns: [Table.Column] = [
        ("ID", "id"), ("E-MAIL", "email"), ("ROLE", "role"), ("ACTIVE", "is_active"),
        ("PLAN", "plan"), ("CREATED", "created_at"),
    ]

    fileprivate static let details: [Table.Column] = [
        ("id", "id"), ("e-mail", "email"), ("name", "name"), ("role", "role"),
        ("active", "is_active"), ("verified", "email_verified"), ("totp", "totp_enabled"),
        ("plan", "plan"), ("created", "created_at"), ("updated", "updated_at"),
    ]

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List users, the newest first.")

        @OptionGroup var installation: InstallationOptions

        @Option(help: "Only those with this in their address or name.")
        var search: String?

        @Option(help: "Only those of a role: user, support or admin.")
        var role: String?

        @Option(help: "Only those on a plan.")
        var plan: String?

        @Flag(inversion: .prefixedNo, help: "Only those who are active, or who are not.")
        var active: Bool?

        @Flag(help: "Print a JSON array.")
        var json = false

        func run() async throws {
            try await orRefuse {
                let asked: [JSON.Member?] = [
                    search.map { JSON.Member("search", .string($0)) },
                    role.map { JSON.Member("role", .string($0)) },
                    plan.map { JSON.Member("plan", .string($0)) },
                    active.map { JSON.Member("active", .bool($0)) },
                ]
                try await Shell.open(installation) { shell in
                    try await shell.show(
                        ShellOrder.listUsers, asked.compactMap { $0 }, json: json,
                        UserCommand.columns)
                }
            }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show one user.")

        @OptionGroup var options: UserOptions

        func run() async throws {
            try await orRefuse {
                let user = try await options.ask(ShellOrder.showUser)
                if options.json {
                    print(user.encoded)
                } else {
                    Table.show(user, UserCommand.details)
                }
            }
        }
    }

    struct Activate: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Let a user sign in again; their keys work again.")

        @OptionGroup var options: UserOptions

        func run() async throws {
            try await orRefuse {
                options.tell(try await options.ask(ShellOrder.activateUser), "is active.")
            }
        }
    }

    struct Deactivate: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lock a user out: sessions end, keys are refused, at once.")

        @OptionGroup var options: UserOptions

        func run() async throws {
            try await orRefuse {
                options.tell(
                    try await options.ask(ShellOrder.deactivateUser), "is locked out.")
            }
        }
    }

    struct RevokeSessions: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "End every session of a user at once; keys stay.")

        @OptionGroup var options: UserOptions

        func run() async throws {
            try await orRefuse {
                let ended = try await options.ask(ShellOrder.revokeSessions)
                guard !options.json else { return print(ended.encoded) }
                print("Ended \(ended.shown("sessions")) sessions of \(options.user).")
            }
        }
    }

    struct ResetTOTP: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "reset-totp",
            abstract: "Turn one-time codes off for who has lost app and recovery codes.",
            discussion: "Be sure who asks: afterwards the password alone signs in.")

        @OptionGroup var options: UserOptions

        func run() async throws {
            try await orRefuse {
                options.tell(
                    try await options.ask(ShellOrder.resetTOTP), "signs in without a code.")
            }
        }
    }
}

/// What each command about one user takes.
struct UserOptions: ParsableArguments {
    @OptionGroup var installation: InstallationOptions

    @Argument(help: "An e-mail address or an id.")
    var user: String

    @Flag(help: "Print the result as JSON.")
    var json = false

    fileprivate func ask(_ order: ShellOrder) async throws -> JSON {
        try await Shell.open(installation) { shell in
            try await shell.ask(order, [JSON.Member("user", .string(user))])
        }
    }

    fileprivate func tell(_ user: JSON, _ what: String) {
        print(json ? user.encoded : "\(user.shown("email")) \(what)")
    }
}
