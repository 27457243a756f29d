import ArgumentParser
import Domain
import Glibc
import Logging
import Store

struct AdminCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "admin", abstract: "Make administrators, let them back in.",
        subcommands: [Create.self, ResetPassword.self])

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Create an admin, whether the daemon runs or not.",
            discussion: """
                The password is read from standard input with --password-stdin, asked for on a \
                terminal, and otherwise set by whoever opens the link that is printed.
                """)

        @OptionGroup var installation: InstallationOptions

        @Option(help: ArgumentHelp("The admin's e-mail address.", valueName: "address"))
        var email: String

        @Flag(help: "Read the password from the first line of standard input.")
        var passwordStdin = false

        @Flag(help: "Print the result as JSON.")
        var json = false

        func run() async throws {
            try await orRefuse {
                let configuration = try installation.configuration()
                guard let address = EmailAddress(email) else {
                    throw CommandRefusal(.failed, "--email: \(email) is not an e-mail address.")
                }
                let link = try await create(address, try password(), configuration)
                var writer = JSONWriter()
                writer.object { json in
                    json.member("email", address.description)
                    json.member("link", link)
                }
                if json {
                    print(String(decoding: writer.bytes, as: UTF8.self))
                } else if let link {
                    print("Created \(address). Set the password within an hour at:\n  \(link)")
                } else {
                    print("Created \(address).")
                }
            }
        }

        private func password() throws -> Secret? {
            if passwordStdin { return try Terminal.passwordLine() }
            guard isatty(0) == 1 else { return nil }
            guard let first = Terminal.askSecretly("Password: "),
                let second = Terminal.askSecretly("Again: ")
            else { return nil }
            guard first == second else { throw CommandRefusal(.failed, "The passwords differ.") }
            return PasswordPolicy.normalised(first)
        }

        /// Through the daemon when it runs, since it owns the store.
        private func create(
            _ address: EmailAddress, _ password: Secret?, _ configuration: Configuration
        ) async throws -> String? {
            var members = [JSON.Member("email", .string(address.description))]
            if let password { members.append(JSON.Member("password", .string(password.text))) }
            let control = ControlClient(
                path: ControlListener.path(in: configuration.dataDirectory))
            if let answer = control.post("/control/admins", .object(members)) {
                return try Self.link(in: answer)
            }
            let store = try configuration.openStore()
            defer { store.close() }
            var quiet = configuration.logger()
            quiet.logLevel = .critical
            let appliance = try Appliance(
                configuration: configuration, store: store, logger: quiet)
            defer { appliance.close() }
            try await appliance.createStarterPlans()
            return try await appliance.createAdmin(email: address, password: password)
        }

        private static func link(in answer: ControlClient.Answer) throws -> String? {
            let json = try? JSONParser.parse(answer.body)
            guard answer.status == 201 else {
                var line = "The daemon answered \(answer.status)."
                if case .string(let detail)? = json?["detail"] { line = detail }
                throw CommandRefusal(.failed, line)
            }
            if case .string(let link)? = json?["link"] { return link }
            return nil
        }
    }
}

extension AdminCommand {
    struct ResetPassword: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "reset-password",
            abstract: "Give an admin a new password, whether the daemon runs or not.",
            discussion: """
                With --password-stdin it is set at once and every session ends. Otherwise a link \
                is printed, and whoever opens it within an hour sets it.
                """)

        @OptionGroup var installation: InstallationOptions

        @Option(help: "The admin's e-mail address.")
        var email: String

        @Flag(help: "Read the password from the first line of standard input.")
        var passwordStdin = false

        @Flag(help: "Print the result as JSON.")
        var json = false

        func run() async throws {
            try await orRefuse {
                var question = [JSON.Member("email", .string(email))]
                if passwordStdin {
                    let password = try Terminal.passwordLine()
                    question.append(JSON.Member("password", .string(password.text)))
                }
                let asked = question
                let result = try await Shell.open(installation) { shell in
                    try await shell.ask(ShellOrder.resetAdminPassword, asked)
                }
                if json {
                    print(result.encoded)
                } else if let link = result["link"]?.string {
                    print("Set the password within an hour at:\n  \(link)")
                } else {
                    print("\((result["email"] ?? .null).shown) has a new password.")
                }
            }
        }
    }
}

/// A person at a terminal, or a script in their place.
enum Terminal {
    static func passwordLine() throws -> Secret {
        guard let line = readLine(strippingNewline: true), !line.isEmpty else {
            throw CommandRefusal(.failed, "--password-stdin: standard input has no password.")
        }
        return PasswordPolicy.normalised(line)
    }

    /// Nil when the terminal closes. The input is not shown.
    static func askSecretly(_ question: String) -> String? {
        var settings = termios()
        guard tcgetattr(0, &settings) == 0 else { return nil }
        var silent = settings
        silent.c_lflag &= ~tcflag_t(ECHO)
        tcsetattr(0, TCSAFLUSH, &silent)
        defer {
            tcsetattr(0, TCSAFLUSH, &settings)
            printError("")
        }
        let bytes = Array(question.utf8)
        _ = write(2, bytes, bytes.count)
        return readLine(strippingNewline: true)
    }
}
