import ArgumentParser

@main
struct Gatehouse: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gatehouse",
        abstract: "Sign-in, API keys, plans, limits and usage for a small team's service.",
        discussion: """
            Exit status: 0 done, 1 failed, 64 wrong usage, 65 damaged data, 69 refused because \
            something is running or unreachable, 73 cannot create, 78 wrong configuration.
            """,
        subcommands: [
            ServeCommand.self, AdminCommand.self, UserCommand.self, KeyCommand.self,
            PlanCommand.self, SubscriptionCommand.self, KeysCommand.self, AuditCommand.self,
            MigrateCommand.self, CheckCommand.self, HealthcheckCommand.self, BackupCommand.self,
            VerifyCommand.self, InspectCommand.self, RestoreCommand.self, DrillCommand.self,
            OpenAPICommand.self, StoreCommand.self, VersionCommand.self,
            CompletionCommand.self,
        ])

    static let version = "0.1.0"
}
