import ArgumentParser
import Domain
import Store

struct VersionCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "version", abstract: "Print the versions of this program and its parts.")

    @Flag(help: "Print as JSON.")
    var json = false

    func run() async throws {
        let library = SQLiteStore.library
        if json {
            var writer = JSONWriter()
            writer.object { json in
                json.member("version", Gatehouse.version)
                json.member("schema", Int64(SQLiteSchema.current))
                json.member("sqlite", library.version)
                json.member("sqlite_source_id", library.sourceID)
                json.member("sqlite_wal_reset_fix", library.hasWALResetFix)
            }
            print(String(decoding: writer.bytes, as: UTF8.self))
        } else {
            let fix =
                library.hasWALResetFix
                ? "has the WAL-reset fix" : "without the WAL-reset fix; harmless with one writer"
            print(
                """
                gatehouse \(Gatehouse.version) (schema \(SQLiteSchema.current))
                SQLite \(library.version), \(fix)
                  \(library.sourceID)
                """)
        }
    }
}
