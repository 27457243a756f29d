import ArgumentParser
import Domain
import Glibc
import Store

struct StoreCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "store", abstract: "The store as a whole.", subcommands: [Copy.self])

    struct Copy: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Copy the store into an empty one, of SQLite or PostgreSQL.",
            discussion: """
                Refused with 69 while a daemon has either. Then rows and checksums of each table \
                are compared. One that was cut short goes on where it was when it is run again; \
                until it is whole no daemon serves the target. The data directory stays as it is: \
                set store.url and start again.
                """)

        @OptionGroup var installation: InstallationOptions

        @Option(
            help: ArgumentHelp(
                "Where everything is, as store.url names it.", valueName: "url"))
        var from: String

        @Option(help: ArgumentHelp("Where it is to be: an empty store.", valueName: "url"))
        var to: String

        @Flag(help: "Print the result as JSON.")
        var json = false

        func run() async throws {
            try await orRefuse {
                umask(0o077)
                let configuration = try installation.configuration()
                let source = try Self.open(from, "--from", configuration, isNew: false)
                defer { source.close() }
                let target = try Self.open(to, "--to", configuration, isNew: true)
                defer { target.close() }
                let bar = ProgressBar()
                defer { bar.clear() }
                let tables = try await StoreCopy(from: source, to: target).run { progress in
                    bar.show("copying \(progress.table)", progress.done, of: progress.all)
                }
                bar.clear()
                print(json ? Self.encoded(tables) : Self.text(tables))
            }
        }

        private static func open(
            _ url: String, _ option: String, _ configuration: Configuration, isNew: Bool
        ) throws -> any Database {
            guard Configuration.Store.isURL(url) else {
                throw CommandRefusal(
                    .failed, "\(option): expected sqlite: and a path, or postgres:// and a server.")
            }
            var one = configuration
            one.store.url = url
            // Nobody writes to it meanwhile.
            one.redis.url = nil
            guard isNew || one.isOnPostgres || SafeFile.exists(one.storeFile) else {
                throw CommandRefusal(.failed, "There is no store at \(one.storeFile).")
            }
            return try one.openStore(migrates: isNew)
        }

        private static func text(_ tables: [StoreCopy.Table]) -> String {
            let width = tables.map(\.name.count).max() ?? 0
            let lines = tables.map { table in
                let name = table.name + String(repeating: " ", count: width - table.name.count)
                return "\(name)  \(table.checksum.prefix(16))  \(table.rows)"
            }
            let rows = tables.reduce(0) { $0 + $1.rows }
            return (lines + ["Copied, and found equal on both sides: \(rows) rows."])
                .joined(separator: "\n")
        }

        private static func encoded(_ tables: [StoreCopy.Table]) -> String {
            var writer = JSONWriter()
            writer.object { json in
                json.member("tables") { json in
                    json.array(tables) { json, table in
                        json.object { json in
                            json.member("name", table.name)
                            json.member("rows", table.rows)
                            json.member("sha256", table.checksum)
                        }
                    }
                }
            }
            return String(decoding: writer.bytes, as: UTF8.self)
        }
    }
}
