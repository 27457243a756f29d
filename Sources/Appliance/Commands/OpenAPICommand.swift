import ArgumentParser
import Domain
import Glibc
import Logging
import Store

struct OpenAPICommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "openapi", abstract: "Print the description of the API (OpenAPI 3.1).",
        discussion: """
            The same bytes as GET /openapi.json of a server of this version. For people:

              gatehouse openapi | jq .
            """)

    func run() async throws {
        try await orRefuse {
            umask(0o077)
            let document = try BackupCheck.withScratch(in: Machine.scratch) { folder in
                try SafeFile.makeDirectory(folder)
                return try Self.document(folder)
            }
            print(document)
        }
    }

    /// Read from the routes of an appliance that serves nobody: its folder is empty and is removed.
    private static func document(_ folder: String) throws -> String {
        var configuration = Configuration()
        configuration.dataDirectory = folder
        let appliance = try Appliance(
            configuration: configuration, store: NoStore(), logger: Logger(label: "openapi"))
        defer { appliance.close() }
        return OpenAPI.document(of: appliance.routes).encoded
    }
}

/// In the place of a store, where nothing is kept.
private final class NoStore: Database {
    let enqueued = Wake()

    func read<Value: Sendable>(
        _ body: @escaping @Sendable (any Connection) throws(Problem) -> Value
    ) async throws(Problem) -> Value {
        throw Problem(.unavailable, "There is no store.")
    }

    func write<Value: Sendable>(
        _ body: @escaping @Sendable (any Connection) throws(Problem) -> Value
    ) async throws(Problem) -> Value {
        try await read(body)
    }

    func close() {}
}
