import ArgumentParser
import Domain
import Glibc
import Store

struct DrillCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drill",
        abstract: "Restore the newest backup into a temporary folder, open it, say how old it is.",
        discussion: "The folder is made in $TMPDIR, or /var/tmp, and removed again.")

    @OptionGroup var installation: InstallationOptions

    @Option(
        help: ArgumentHelp("The file with its key (default: backup.key_file).", valueName: "file"),
        completion: .file())
    var key: String?

    @Flag(help: "Print the result as JSON.")
    var json = false

    func run() async throws {
        try await orRefuse {
            umask(0o077)
            let configuration = try installation.configuration()
            try configuration.requireSQLite("drill")
            let folder = configuration.backupDirectory
            guard let path = BackupCheck.newest(in: folder) else {
                throw CommandRefusal(
                    .failed, "There is no backup in \(folder). Make one with: gatehouse backup")
            }
            let bar = ProgressBar()
            defer { bar.clear() }
            let keyFile = key ?? configuration.backup.keyFile
            let key = try keyFile.map { try BackupKey(file: $0) }
            let manifest = try BackupCheck.withScratch(in: Machine.scratch) { scratch in
                try Drill.run(path, key: key, in: scratch) { done, all in
                    bar.show("restoring", done, of: all)
                }
            }
            bar.clear()
            let age = (WallClock.system.now() - manifest.createdAt).wholeMilliseconds / 1000
            if json {
                var writer = JSONWriter()
                writer.object { json in
                    json.member("path", path)
                    json.member("created_at", manifest.createdAt)
                    json.member("age_seconds", age)
                    json.member("rows", manifest.rows)
                }
                print(String(decoding: writer.bytes, as: UTF8.self))
            } else {
                print("\(path) can be restored: \(manifest.rows) rows, made \(Self.text(age)) ago.")
            }
        }
    }

    private static func text(_ seconds: Int64) -> String {
        switch seconds {
        case ..<120: "\(seconds) seconds"
        case ..<7200: "\(seconds / 60) minutes"
        case ..<172_800: "\(seconds / 3600) hours"
        default: "\(seconds / 86_400) days"
        }
    }
}
