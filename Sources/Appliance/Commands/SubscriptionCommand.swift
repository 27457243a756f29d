import ArgumentParser
import Domain

struct SubscriptionCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "subscription",
        abstract: "Customers' plans, whether the daemon runs or not.", subcommands: [Set.self])

    struct Set: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Put a user on a plan; its limits hold from the next request on.")

        @OptionGroup var options: UserOptions

        @Argument(help: "The plan's slug.")
        var plan: String

        @Option(help: "When it ends, such as 2027-01-01T00:00:00Z (default: never).")
        var expiresAt: String?

        func run() async throws {
            try await orRefuse {
                let question: [JSON.Member?] = [
                    JSON.Member("user", .string(options.user)),
                    JSON.Member("plan", .string(plan)),
                    expiresAt.map { JSON.Member("expires_at", .string($0)) },
                ]
                let subscription = try await Shell.open(options.installation) { shell in
                    try await shell.ask(
                        ShellOrder.setSubscription, question.compactMap { $0 })
                }
                guard !options.json else { return print(subscription.encoded) }
                let until = subscription["expires_at"]?.string.map { " until \($0)" } ?? ""
                print("\(options.user) is on \(plan)\(until).")
            }
        }
    }
}
