import ArgumentParser
import Domain
import Store

struct AuditCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit", abstract: "The audit log.", subcommands: [Verify.self])

    struct Verify: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Check the audit log's hash chain, whether the daemon runs or not.",
            discussion: """
                Reads only. Exits with 65 and names the first row that does not fit the chain: it, \
                or the one before it, was changed, removed or put in.
                """)

        @OptionGroup var installation: InstallationOptions

        @Flag(help: "Print the result as JSON.")
        var json = false

        func run() async throws {
            try await orRefuse {
                let configuration = try installation.configuration()
                let walk = try await Self.walk(configuration)
                if json {
                    var writer = JSONWriter()
                    writer.auditWalk(walk)
                    print(String(decoding: writer.bytes, as: UTF8.self))
                }
                if let broken = walk.broken {
                    throw CommandRefusal(
                        .damaged,
                        "Audit row \(broken.sequence) (id \(broken.id)) does not fit the chain; "
                            + "the \(walk.rows) rows before it do.")
                }
                if !json { print(Self.text(of: walk)) }
            }
        }

        private static func walk(_ configuration: Configuration) async throws -> AuditWalk {
            guard !configuration.isOnPostgres else {
                let store = try PostgresStore(
                    url: configuration.store.url, passwordFile: configuration.store.passwordFile,
                    readerCount: 1, migrates: false)
                defer { store.close() }
                var walk = AuditWalk()
                while !walk.isOver {
                    walk = try await store.read { [walk] db throws(Problem) in
                        var next = walk
                        try next.step(db)
                        return next
                    }
                }
                return walk
            }
            guard SafeFile.exists(configuration.storeFile) else {
                throw CommandRefusal(.failed, "There is no store at \(configuration.storeFile).")
            }
            return try SQLiteInspection(file: configuration.storeFile).walkAudit()
        }

        private static func text(of walk: AuditWalk) -> String {
            let removed =
                walk.prunedThrough > 0
                ? " Rows up to \(walk.prunedThrough) were removed by retention." : ""
            return "The audit log is whole: \(walk.rows) rows.\(removed)"
        }
    }
}
