import ArgumentParser
import Domain

struct KeyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "key", abstract: "API keys, whether the daemon runs or not.",
        discussion: "USER is an e-mail address or an id.",
        subcommands: [Create.self, List.self, Revoke.self])

    fileprivate static let columns: [Table.Column] = [
        ("ID", "id"), ("PREFIX", "prefix"), ("NAME", "name"), ("SCOPES", "scopes"),
        ("EXPIRES", "expires_at"), ("LAST USED", "last_used_at"), ("REVOKED", "revoked_at"),
    ]

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a key for a user; it is shown this once.")

        @OptionGroup var options: UserOptions

        @Option(help: "What its owner knows it by.")
        var name: String

        @Option(help: "A scope, such as gate or items:read; may be given several times.")
        var scope: [String]

        @Option(help: "NAME=N, such as requests_per_day=1000; may be given several times.")
        var limit: [String] = []

        @Option(help: "An address or network it works from; may be given several times.")
        var cidr: [String] = []

        @Option(help: "When it ends, such as 2027-01-01T00:00:00Z (default: never).")
        var expiresAt: String?

        func run() async throws {
            try await orRefuse {
                let question: [JSON.Member?] = [
                    JSON.Member("user", .string(options.user)),
                    JSON.Member("name", .string(name)),
                    JSON.Member("scopes", .array(scope.map(JSON.string))),
                    JSON.Member("limits", .object(try limit.map(Self.limit))),
                    JSON.Member("allowed_cidrs", .array(cidr.map(JSON.string))),
                    expiresAt.map { JSON.Member("expires_at", .string($0)) },
                ]
                let key = try await Shell.open(options.installation) { shell in
                    try await shell.ask(ShellOrder.createKey, question.compactMap { $0 })
                }
                if options.json {
                    print(key.encoded)
                } else {
                    printError("A key of \(options.user); it is not shown again:")
                    print(key.shown("key"))
                }
            }
        }

        private static func limit(_ text: String) throws -> JSON.Member {
            let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
            guard parts.count == 2, let bound = Int64(parts[1]) else {
                throw ValidationError("--limit: expected NAME=N, found \(text).")
            }
            return JSON.Member(parts[0], .integer(bound))
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the keys of a user, the newest first, revoked ones too.")

        @OptionGroup var options: UserOptions

        func run() async throws {
            try await orRefuse {
                try await Shell.open(options.installation) { shell in
                    try await shell.show(
                        ShellOrder.listKeys, [JSON.Member("user", .string(options.user))],
                        json: options.json, KeyCommand.columns)
                }
            }
        }
    }

    struct Revoke: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Revoke a key: it is refused from the next request on.")

        @OptionGroup var installation: InstallationOptions

        @Argument(help: "The key's id, or its prefix (gh_ and 12 characters).")
        var key: String

        @Flag(help: "Print the result as JSON.")
        var json = false

        func run() async throws {
            try await orRefuse {
                let revoked = try await Shell.open(installation) { shell in
                    try await shell.ask(
                        ShellOrder.revokeKey, [JSON.Member("key", .string(key))])
                }
                print(json ? revoked.encoded : "\(revoked.shown("prefix")) is revoked.")
            }
        }
    }
}
