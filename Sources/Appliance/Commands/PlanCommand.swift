import ArgumentParser
import Domain

struct PlanCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan", abstract: "Plans, whether the daemon runs or not.",
        subcommands: [List.self, Apply.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List plans; as JSON or YAML they can be applied again.")

        @OptionGroup var installation: InstallationOptions

        @Flag(help: "Archived plans too.")
        var archived = false

        @Flag(help: "Print a JSON array.")
        var json = false

        @Flag(help: "Print YAML.")
        var yaml = false

        private static let columns: [Table.Column] = [
            ("SLUG", "slug"), ("NAME", "name"), ("DEFAULT", "is_default"),
            ("SELF-SERVICE", "self_service"), ("ARCHIVED", "archived_at"), ("LIMITS", "limits"),
        ]

        func validate() throws {
            guard !(json && yaml) else { throw ValidationError("Name one of --json and --yaml.") }
        }

        func run() async throws {
            try await orRefuse {
                let question = [JSON.Member("archived", .bool(archived))]
                try await Shell.open(installation) { shell in
                    guard yaml else {
                        return try await shell.show(
                            ShellOrder.listPlans, question, json: json, Self.columns)
                    }
                    var isEmpty = true
                    try await shell.each(of: ShellOrder.listPlans, question) { plans in
                        for plan in plans { print(Self.yaml(plan)) }
                        isEmpty = isEmpty && plans.isEmpty
                    }
                    if isEmpty { print("[]") }
                }
            }
        }

        /// Every value as JSON, which YAML reads as it stands.
        private static func yaml(_ plan: JSON) -> String {
            func lines(_ names: [String]) -> [String] {
                names.map { "\($0): \((plan[$0] ?? .null).encoded)" }
            }
            var text = lines(["slug", "name", "description"])
            if case .object(let limits)? = plan["limits"], !limits.isEmpty {
                text.append("limits:")
                text += limits.map { "  \($0.name): \($0.value.encoded)" }
            } else {
                text.append("limits: {}")
            }
            text += lines(["self_service", "is_default"])
            if plan["archived_at"] != .null { text += lines(["archived_at"]) }
            return "- " + text.joined(separator: "\n  ")
        }
    }

    struct Apply: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make the store have the plans of a file and no others.",
            discussion: """
                New plans are created, others changed, those that are not in the file archived; \
                all or nothing. The same file again changes nothing.
                """)

        @OptionGroup var installation: InstallationOptions

        @Argument(help: "A YAML or JSON file: a list of plans.")
        var file: String

        @Flag(help: "Only say what would change.")
        var dryRun = false

        @Flag(help: "Print the result as JSON.")
        var json = false

        private static let fileBytesMax = 1 << 19

        func run() async throws {
            try await orRefuse {
                let node = try read()
                let question = [
                    JSON.Member("plans", node.json), JSON.Member("dry_run", .bool(dryRun)),
                ]
                let result: JSON
                do {
                    result = try await Shell.open(installation) { shell in
                        try await shell.ask(ShellOrder.applyPlans, question)
                    }
                } catch let problem as Problem where problem.code == .validationFailed {
                    throw refusal(problem, node.lines)
                }
                if json { print(result.encoded) } else { tell(result) }
            }
        }

        private func read() throws(CommandRefusal) -> YAMLNode {
            let text: [UInt8]
            do throws(SafeFile.Failure) {
                text = try SafeFile.read(file, bytesMax: Self.fileBytesMax)
            } catch {
                throw CommandRefusal(.failed, error.reason)
            }
            do throws(YAMLNode.Failure) {
                guard let node = try YAMLNode.parse(text) else {
                    throw YAMLNode.Failure(line: 1, reason: "expected a list of plans")
                }
                return node
            } catch {
                throw CommandRefusal(.damaged, "\(file):\(error.line): \(error.reason)")
            }
        }

        /// The first mistake that has a line of its own, and how many there are beside it.
        private func refusal(_ problem: Problem, _ lines: [String: Int]) -> CommandRefusal {
            let errors = problem.errors
            guard let first = errors.first(where: { lines[$0.field] != nil }) ?? errors.first else {
                return CommandRefusal(.damaged, "\(file): \(problem.detail)")
            }
            var path = first.field
            // What is missing has no line of its own: that of what it is missing in.
            while lines[path] == nil, let end = path.lastIndex(where: { $0 == "." || $0 == "[" }) {
                path = String(path[..<end])
            }
            let key = first.field.isEmpty ? "" : "\(first.field): "
            let others = errors.count - 1
            let more = others > 0 ? " (\(others) more)" : ""
            return CommandRefusal(
                .damaged, "\(file):\(lines[path] ?? 1): \(key)\(first.message)\(more)")
        }

        private func tell(_ result: JSON) {
            guard case .array(let changes)? = result["changes"], !changes.isEmpty else {
                return print("Nothing to change.")
            }
            for change in changes {
                print("\(change.shown("action")) \(change.shown("slug"))")
                guard case .array(let fields)? = change["fields"] else { continue }
                for field in fields {
                    print(
                        "  \(field.shown("field")): \(field.shown("from")) → \(field.shown("to"))")
                }
            }
            if dryRun { print("Nothing was changed: this was a dry run.") }
        }
    }
}
