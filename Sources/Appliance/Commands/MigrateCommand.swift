import ArgumentParser
import Domain
import Glibc
import Store

struct MigrateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate",
        abstract: "Bring the store's schema up to date.",
        discussion: """
            serve does it too, at its start. Refused with 69 while a daemon has the store; \
            --status and --dry-run work beside one. A backup of the store as it is goes into \
            backup.directory first. Without the room for it nothing is changed (73), unless you \
            say so.
            """)

    @OptionGroup var installation: InstallationOptions

    @Flag(help: "Only say which version the schema has.")
    var status = false

    @Flag(help: "Only say what would be done.")
    var dryRun = false

    @Flag(help: "Go on without a backup.")
    var noBackup = false

    @Flag(help: "Print the result as JSON.")
    var json = false

    func run() async throws {
        try await orRefuse {
            umask(0o077)
            var configuration = try installation.configuration()
            if noBackup { configuration.backup.beforeMigration = false }
            let before =
                configuration.isOnPostgres
                ? try PostgresStore.schemaVersion(
                    url: configuration.store.url, passwordFile: configuration.store.passwordFile)
                : try SQLiteInspection(file: configuration.storeFile).schemaVersion
            let target = SQLiteSchema.current
            if !status, !dryRun {
                let store = try configuration.openStore()
                store.close()
            }
            let now = status || dryRun ? before : target
            if json {
                var writer = JSONWriter()
                writer.object { json in
                    json.member("schema", Int64(now))
                    json.member("target", Int64(target))
                    json.member("pending", Int64(target - now))
                    json.member("steps", SQLiteSchema.steps(after: now))
                }
                print(String(decoding: writer.bytes, as: UTF8.self))
            } else if now < target {
                print("The store has schema \(now); \(target - now) migrations are pending.")
                for (index, step) in SQLiteSchema.steps(after: now).enumerated() {
                    print("  \(now + index + 1)  \(step)")
                }
            } else {
                print("The store has schema \(now), which is this program's.")
            }
        }
    }
}
