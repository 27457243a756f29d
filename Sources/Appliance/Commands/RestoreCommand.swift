import ArgumentParser
import Domain
import Glibc
import Store

struct RestoreCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore", abstract: "Put a backup in the place of this installation.",
        discussion: """
            The backup is verified first. What was there is kept in a folder beside it. Whenever \
            this is killed, the next start finds the old state or the new one, never a mix.
            """)

    @OptionGroup var installation: InstallationOptions

    @Argument(help: "The backup.", completion: .file(extensions: ["ghb"]))
    var file: String

    @Option(
        help: ArgumentHelp("The file with its key (default: backup.key_file).", valueName: "file"),
        completion: .file())
    var key: String?

    func run() async throws {
        try await orRefuse {
            umask(0o077)
            let configuration = try installation.configuration()
            try configuration.requireSQLite("restore")
            let keyFile = key ?? configuration.backup.keyFile
            let store = Machine.absolute(configuration.storeFile)
            try SafeFile.makeDirectory(configuration.dataDirectory)
            let bar = ProgressBar()
            defer { bar.clear() }
            let now = WallClock.system.now()
            let time = now.description.filter { $0 != "-" && $0 != ":" }
            let restored = try Restore(
                of: file, key: try keyFile.map { try BackupKey(file: $0) }, store: store,
                dataDirectory: Machine.absolute(configuration.dataDirectory),
                aside: "replaced-\(time)", at: now
            ) { done, all in
                bar.show("verifying", done, of: all)
            }
            bar.clear()
            print("Restored \(file), made \(restored.manifest.createdAt).")
            if let aside = restored.aside { print("What was there is in \(aside).") }
            if restored.manifest.parts.contains(where: { $0.name == .configuration }) {
                print("Its configuration is in \(configuration.dataDirectory)/gatehouse.yaml.")
            }
        }
    }
}
