import ArgumentParser

struct CompletionCommand: ParsableCommand {
    enum Shell: String, CaseIterable, ExpressibleByArgument {
        case bash, zsh, fish

        var parserShell: CompletionShell {
            switch self {
            case .bash: .bash
            case .zsh: .zsh
            case .fish: .fish
            }
        }
    }

    static let configuration = CommandConfiguration(
        commandName: "completion", abstract: "Print a script that completes commands in a shell.",
        discussion: """
            The Debian package has the three scripts in their places. Elsewhere, for this user:

              bash  gatehouse completion bash \
            > ~/.local/share/bash-completion/completions/gatehouse
              zsh   gatehouse completion zsh > FOLDER/_gatehouse, where FOLDER is in $fpath
              fish  gatehouse completion fish > ~/.config/fish/completions/gatehouse.fish
            """)

    @Argument(help: "The shell.")
    var shell: Shell

    func run() {
        print(Gatehouse.completionScript(for: shell.parserShell))
    }
}
